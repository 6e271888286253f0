"""The gate for foreign files: pictures, archives, PDFs and tables are looked at before anything else touches them."""
