"""Everything that knows the store: its keys, its scripts, how it is opened, the server that is embedded.

A script compares and stores, as strings; it does no arithmetic on time, looks an existing entry up before it refuses
anything, and may run twice without harm, because clients retry.
"""
