"""Cases without a database: what each target asks for, what is still missing, which step may follow, when it is due."""
