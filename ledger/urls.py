"""The ledger's pages: originals, history, the log, jobs, and what strangers may open."""

app_name = "ledger"
urlpatterns: list[object] = []
