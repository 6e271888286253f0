"""Pages about people and sellers."""
app_name = "accounts"
urlpatterns = []
