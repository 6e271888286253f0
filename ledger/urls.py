"""The ledger's pages: originals, history, the log, jobs, and what strangers may open."""

from django.urls import path, register_converter

from ledger.views import (
    access_log,
    api,
    clocks,
    derivatives,
    erasure,
    explorer,
    health,
    history,
    jobs,
    log,
    originals,
    papers,
    quotas,
    rights,
    sets,
    verify,
    witnesses,
)

app_name = "ledger"


class ThumbnailSize:
    """One of the two preview sizes."""

    regex = "320|1024"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(ThumbnailSize, "thumbnail_size")

urlpatterns = [
    path("originals/", originals.original_list, name="originals"),
    path("originals/register/", originals.register, name="register"),
    path("originals/<str:number>/", originals.original, name="original"),
    path("originals/<str:number>/file/", originals.original_file, name="original_file"),
    path("originals/<str:number>/certificate.pdf", originals.original_certificate, name="original_certificate"),
    path("originals/<str:number>/evidence.zip", originals.original_bundle, name="original_bundle"),
    path("originals/<str:number>/derivatives/", derivatives.link, name="link_derivative"),
    path("derivatives/<str:number>/evidence.zip", derivatives.bundle, name="derivative_bundle"),
    path("originals/<str:number>/erase/", erasure.erase, name="erase"),
    path("originals/<str:number>/hold/", erasure.hold, name="hold"),
    path("originals/<str:number>/hold/<int:hold_id>/release/", erasure.release, name="release_hold"),
    path("sets/", sets.set_list, name="sets"),
    path("sets/new/", sets.set_new, name="set_new"),
    path("sets/<str:number>/", sets.evidence_set, name="set"),
    path("sets/<str:number>/discard/", sets.set_discard, name="set_discard"),
    path("sets/<str:number>/certificate.pdf", sets.set_pdf, name="set_certificate"),
    path("sets/<str:number>/evidence.zip", sets.set_evidence, name="set_bundle"),
    path("sets/<str:number>/files/<int:position>/", sets.set_file_download, name="set_file"),
    path("rights/", rights.right_list, name="rights"),
    path("rights/new/", rights.right_new, name="right_new"),
    path("rights/<str:number>/", rights.right, name="right"),
    path("rights/<str:number>/correct/", rights.right_correct, name="right_correct"),
    path("rights/<str:number>/withdraw/", rights.right_withdraw, name="right_withdraw"),
    path("people/<int:membership_id>/erase/", erasure.erase_member, name="erase_member"),
    path("erasures/", erasure.erasure_list, name="erasures"),
    path("team/access/", access_log.access_log, name="access_log"),
    path("team/access.csv", access_log.access_log_csv, name="access_log_csv"),
    path("team/papers/", papers.papers, name="papers"),
    path("team/papers/<str:number>/file/", papers.paper_file, name="paper_file"),
    path("team/papers/<str:number>/packets/", papers.paper_tick, name="paper_tick"),
    path("team/papers/<str:number>/remove/", papers.paper_remove, name="paper_remove"),
    path("team/storage/", quotas.storage, name="storage"),
    path("staff/quotas/", quotas.quotas, name="quotas"),
    path("staff/sellers/<str:slug>/quota/", quotas.quota_change, name="quota_change"),
    path("staff/papers/", papers.review_list, name="review_list"),
    path("staff/papers/<str:number>/file/", papers.review_file, name="review_file"),
    path("staff/papers/<str:number>/review/", papers.review, name="review"),
    path("staff/sellers/<str:slug>/bank/", papers.review_bank, name="review_bank"),
    path("api/v1/originals/", api.originals, name="api_originals"),
    path("api/v1/originals/<str:number>/", api.original, name="api_original"),
    path("api/v1/originals/<str:number>/file/", api.original_file, name="api_original_file"),
    path("api/v1/originals/<str:number>/certificate.pdf", api.original_certificate, name="api_original_certificate"),
    path("api/v1/originals/<str:number>/evidence.zip", api.original_bundle, name="api_original_bundle"),
    path("api/v1/jobs/<uuid:public_id>/", api.job, name="api_job"),
    path("history/", history.history, name="history"),
    path("history.csv", history.history_csv, name="history_csv"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/<uuid:public_id>/", jobs.job, name="job"),
    path("jobs/<uuid:public_id>/again/", jobs.job_again, name="job_again"),
    path("jobs/<uuid:public_id>/cancel/", jobs.job_cancel, name="job_cancel"),
    path("ledger/", log.log, name="log"),
    path("ledger/seal/", log.seal, name="seal"),
    path("ledger/clocks/", clocks.clocks, name="clocks"),
    path("ledger/clocks/try/", clocks.clock_try, name="clock_try"),
    path("ledger/witnesses/", witnesses.witnesses, name="witnesses"),
    path("ledger/witnesses/change/", witnesses.witness_change, name="witness_change"),
    path("ledger/anchor/", clocks.anchor, name="anchor"),
    path("ledger/checkpoints/<int:tree_size>/", log.checkpoint_file, name="checkpoint_file"),
    path("log/", explorer.explorer, name="explorer"),
    path("log/epochs/<int:epoch>/", explorer.explorer, name="epoch_explorer"),
    path("log/epochs/<int:epoch>/entries/<int:seq>/", explorer.entry, name="epoch_entry"),
    path("log/epochs/<int:epoch>/entries/<int:seq>/proof", explorer.entry_proof, name="epoch_entry_proof"),
    path("log/epochs/<int:epoch>/log.json", explorer.parameters, name="epoch_parameters"),
    path("log/epochs/<int:epoch>/tile/<path:path>", explorer.tile, name="epoch_tile"),
    path("log/epochs/<int:epoch>/checkpoint", explorer.checkpoint, name="epoch_checkpoint"),
    path("log/epochs/<int:epoch>/last-signed", explorer.last_signed, name="last_signed"),
    path("log/entries/<int:seq>/", explorer.entry, name="entry"),
    path("log/entries/<int:seq>/proof", explorer.entry_proof, name="entry_proof"),
    path("log/log.json", explorer.parameters, name="parameters"),
    path("log/tile/<path:path>", explorer.tile, name="tile"),
    path("log/checkpoint", explorer.checkpoint, name="checkpoint"),
    path("log/policy", log.policy, name="policy"),
    path("health/", health.health, name="health"),
    path("metrics", health.metrics, name="metrics"),
    path("verify/", verify.verify, name="verify"),
    path("verify/offline/", verify.offline_page, name="offline_page"),
    path("verify/<str:number>/", verify.certificate_public, name="certificate_public"),
    path("pictures/<int:image_id>/<thumbnail_size:size>.webp", originals.picture, name="picture"),
]
