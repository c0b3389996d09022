"""Bytes of attachments: where they lie, links that let them in and out, which of them are pictures."""
