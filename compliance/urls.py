"""The compliance pages."""

from django.urls import path

from compliance.views import batches, catalogues, checks, overview, packs, quality, search, sku_sets

app_name = "compliance"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("find/", overview.find, name="find"),
    path("sample/", overview.sample, name="sample"),
    path("hidden/", checks.checks, name="checks"),
    path("hidden/batch/", batches.batches, name="batches"),
    path("hidden/batch/template.csv", batches.batch_template, name="batch_template"),
    path("hidden/batch/<str:number>/", batches.batch, name="batch"),
    path("hidden/batch/<str:number>/retry/", batches.batch_retry, name="batch_retry"),
    path("hidden/batch/<str:number>/checks.csv", batches.batch_csv, name="batch_csv"),
    path("hidden/skus/", sku_sets.sku_sets, name="sku_sets"),
    path("hidden/skus/<str:number>/", sku_sets.sku_set, name="sku_set"),
    path("hidden/skus/<str:number>/retry/", sku_sets.sku_set_retry, name="sku_set_retry"),
    path("hidden/skus/<str:number>/receipt.pdf", sku_sets.sku_set_receipt, name="sku_set_receipt"),
    path("hidden/files/<str:number>/record.pdf", packs.derivative_receipt, name="derivative_receipt"),
    path("hidden/packs/", packs.packs, name="packs"),
    path("hidden/packs/template.csv", packs.pack_template, name="pack_template"),
    path("hidden/packs/<str:number>/", packs.pack, name="pack"),
    path("hidden/packs/<str:number>/retry/", packs.pack_retry, name="pack_retry"),
    path("hidden/packs/<str:number>/packs.zip", packs.pack_archive, name="pack_archive"),
    path("hidden/<str:number>/", checks.check, name="check"),
    path("hidden/<str:number>/retry/", checks.check_retry, name="check_retry"),
    path("hidden/<str:number>/difference.png", checks.check_heatmap, name="check_heatmap"),
    path("hidden/<str:number>/difference.webp", checks.check_difference, name="check_difference"),
    path("hidden/<str:number>/receipt.pdf", checks.check_receipt, name="check_receipt"),
    path("hidden/<str:number>/evidence.zip", checks.check_bundle, name="check_bundle"),
    path("quality/", quality.quality, name="quality"),
    path("quality/<str:number>/", quality.quality_record, name="quality_record"),
    path("quality/<str:number>/receipt.pdf", quality.quality_receipt, name="quality_receipt"),
    path("search/", search.search, name="search"),
    path("search/method/", search.search_method, name="search_method"),
    path("search/<str:number>/", search.search_result, name="search_result"),
    path("search/<str:number>/again/", search.search_again, name="search_again"),
    path("search/<str:number>/<int:rank>/agreement.png", search.search_agreement, name="search_agreement"),
    path("search/<str:number>/receipt.pdf", search.search_receipt, name="search_receipt"),
    path("search/<str:number>/evidence.zip", search.search_bundle, name="search_bundle"),
    path("catalogues/", catalogues.catalogues, name="catalogues"),
    path("catalogues/template.csv", catalogues.catalogue_template, name="catalogue_template"),
    path("catalogues/<str:number>/", catalogues.catalogue, name="catalogue"),
]
