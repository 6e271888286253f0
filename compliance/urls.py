"""The compliance pages."""
app_name = "compliance"
urlpatterns = []
