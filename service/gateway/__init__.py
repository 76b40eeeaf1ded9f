"""A gateway process: stamps requests, logs them durably, answers buyers.

The road of a purchase: `intake` (bytes and the kernel's receive time) → `purchase` (who asks for what, may they) →
`stamping` (when) → `admission` (one script call for all of a turn) → an answer. `book` knows the sales and what was
decided; `marks` raises the region's marks. Every other call is handed over to uvicorn and FastAPI: `handover`, `app`.
"""
