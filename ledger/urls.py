"""The ledger's pages."""
app_name = "ledger"
urlpatterns = []
