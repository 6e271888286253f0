"""What people are told for an error code: what happened and what to do. The one place where codes become words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class ErrorText:
    """Both texts are translated when shown."""

    code: str
    title: Any
    advice: Any


TEXTS: dict[str, tuple[Any, Any]] = {
    # No room: nothing of the upload was kept, everything else is as it was.
    "storage_full": (
        _("The disk of this site is nearly full, so nothing new is taken."),
        _("Tell the person who runs this site; everything that was registered is safe. Send the files again later."),
    ),
    "quota_bytes": (
        _("Your seller's storage is used up."),
        _("Erase what is not needed, or ask the person who runs this site for more."),
    ),
    "quota_files": (
        _("Your seller has stored as many files today as a day allows."),
        _("Go on tomorrow (UTC), or ask the person who runs this site for more."),
    ),
    # Documents about the seller.
    "paper_empty": (_("The document is empty."), _("Scan or photograph it again.")),
    "paper_too_large": (_("The document is larger than 20 MiB."), _("Save it as a smaller PDF or JPEG.")),
    "paper_type": (_("This is not a PDF, JPEG or PNG."), _("Save the document as PDF, or photograph it.")),
    "paper_person": (_("This person does not belong to the team."), _("Choose somebody of the team, or nobody.")),
    "paper_count": (_("There are a hundred documents already."), _("Remove those that are not needed.")),
    "paper_reason": (_("A refusal needs a reason."), _("Say what the seller has to do.")),
    "paper_gone": (_("The document was removed meanwhile."), _("There is nothing to review any more.")),
    "paper_future": (_("This day has not come yet."), _("Give the day on which the deposit arrived.")),
    # The API.
    "api_unauthorized": (
        _("There is no valid token in the request."),
        _("Send Authorization: Bearer with a token of the page API tokens; it may be revoked or too old."),
    ),
    "api_scope": (_("The token is not made for this."), _("Make a token with the scope that this request needs.")),
    "api_forbidden": (
        _("The person who made the token may not do this."),
        _("Have somebody make a token whose role allows it."),
    ),
    "api_method": (_("This address does not answer that method."), _("The header Allow names the methods it answers.")),
    "api_request_id": (
        _("The Idempotency-Key is too long or not plain text."),
        _("Use at most 64 printable ASCII characters, such as a UUID."),
    ),
    "not_found": (_("There is no such thing."), _("Check the number; what belongs to others is not found either.")),
    "key_locked": (
        _("A key file is encrypted and the passphrase is missing or wrong."),
        _("Set ORIGINMARK_KEY_PASSPHRASE (or ORIGINMARK_KEY_PASSPHRASE_FILE) and start again."),
    ),
    "key_unknown": (
        _("The log has no such key."),
        _("The page Ledger and log-keys.json list the keys with their ids."),
    ),
    "key_in_use": (_("This key still signs the log."), _("Replace it first with rotate_key, then revoke it.")),
    "key_revoked": (
        _("Signed by a key of this log that was revoked."),
        _("Download the evidence anew: it is then signed by the present key."),
    ),
    "right_changed": (
        _("This record was replaced or withdrawn, so it stays as it is."),
        _("Open the record that replaces it, or enter a new one."),
    ),
    "right_anchors": (
        _("These are no certificates."),
        _("Paste the authority's root certificate as PEM, from BEGIN CERTIFICATE to END CERTIFICATE."),
    ),
    "witness_setting": (_("This witness cannot be added or removed."), _("Check its name, its key and its address.")),
    "export_folder": (
        _("The folder does not hold an older state of this log."),
        _("Choose an empty folder, or the one that was used before."),
    ),
    "store_failed": (
        _("Disk or database failed: nothing was registered."),
        _("What has a receipt is safe. Send the same files again; who runs the site looks at the disk."),
    ),
    # Health: what waits or is refused on the whole site. What was acknowledged is safe in each of these cases.
    "health_database": (_("The database does not answer."), _("Start it; nothing has to be repaired afterwards.")),
    "health_store": (
        _("Files cannot be written or read back."),
        _("Uploads are refused until the disk takes files again; look at its space, rights and messages."),
    ),
    "health_disk_full": (
        _("The disk is full up to its reserve."),
        _("New uploads are refused until there is space again; everything registered is safe."),
    ),
    "health_disk_low": (_("The disk is nearly full."), _("Make space before uploads have to be refused.")),
    "health_workers": (
        _("Background workers do not run."),
        _("Registering works and receipts count; previews, searches and checks follow when the workers are back."),
    ),
    "health_queue": (
        _("Background work is late."),
        _("Registering works and receipts count; previews, searches and checks take longer than usual."),
    ),
    "health_checkpoint": (
        _("New entries have not been signed for a while."),
        _("Look at the messages of the process called clock; entries are safe and are signed when it goes on."),
    ),
    "health_authorities": (
        _("No outside clock answers."),
        _("Registering goes on; the next token covers everything up to then."),
    ),
    "health_anchor": (
        _("The newest token of an outside clock is more than a day old."),
        _("Look at the calls left and the last errors on the page Outside time."),
    ),
    "health_witnesses": (
        _("Fewer witnesses answer than the quorum needs."),
        _("Checkpoints wait for their cosignatures; look at the witnesses' addresses."),
    ),
    "health_redis": (
        _("Redis does not answer."),
        _("Jobs wait in the database and are sent when it is back; nothing is lost."),
    ),
    "health_mail": (
        _("The mail server does not answer."),
        _("Mails are not sent; every link can also be copied from a page."),
    ),
    "health_decoding": (
        _("This kernel confines the processes that open pictures less than it could."),
        _("Their limits of time and memory hold all the same; Linux 6.12 or newer has both parts."),
    ),
    "probe_not_verified": (
        _("The probe's evidence did not pass."),
        _("Run audit_log and stop registering until it passes."),
    ),
    "probe_not_analysed": (
        _("The probe's picture was not analysed in time."),
        _("Look at the page of background jobs and at the workers' messages."),
    ),
    # Admission: refused before anything was kept.
    "empty_file": (_("The file is empty."), _("Export the picture again and upload the new file.")),
    "too_large": (_("The file is larger than 50 MiB."), _("Export it as a JPEG of less than 50 MiB.")),
    "unsupported_type": (
        _("This is not a JPEG, PNG or WebP picture."),
        _(
            "Export a JPEG from your camera software or phone (on an iPhone: Settings, Camera, Formats, Most Compatible)."
        ),
    ),
    "type_mismatch": (
        _("The file name says one format, the content is another."),
        _("Give the file the right extension, or export it again."),
    ),
    "corrupt_image": (_("The file is damaged."), _("Copy it again from the camera or the original disk.")),
    "animated": (_("The picture is animated."), _("Save one frame as JPEG or PNG.")),
    "too_many_scans": (_("The JPEG has an unusual number of scans."), _("Save it again as an ordinary JPEG.")),
    "metadata_too_large": (_("The file carries too much hidden data."), _("Save it again without extra data.")),
    "bad_dimensions": (
        _("The picture's width or height is not usable."),
        _("Sides of 1 to 20,000 pixels are accepted."),
    ),
    "polyglot": (
        _("The file is a picture and something else at the same time."),
        _("Export the picture again; do not upload this file anywhere."),
    ),
    # Decoding: sealed, but no pixels.
    "too_many_pixels": (
        _("The picture has more than 50 million pixels."),
        _("It stays sealed; register a smaller version too."),
    ),
    "decode_memory": (
        _("Opening the picture needs too much memory."),
        _("It stays sealed; register a plainer version too."),
    ),
    "decode_timeout": (
        _("Opening the picture took too long."),
        _("It stays sealed; try the analysis again or register a plainer version."),
    ),
    "decode_crashed": (
        _("The picture could not be opened safely."),
        _("It stays sealed; save it again and register the new file too."),
    ),
    "operation_refused": (
        _("This version cannot analyse the picture."),
        _("It stays sealed; finish the upgrade and try the analysis again."),
    ),
    "blob_unreadable": (
        _("The stored file cannot be read."),
        _("Tell the person who runs this site: the data directory or the keys may be incomplete."),
    ),
    # Erasure.
    "erased": (
        _("This was erased."),
        _("The log still proves that an entry was made, and when. What it was about cannot be shown any more."),
    ),
    "erasure_on_hold": (
        _("This is on hold and cannot be erased."),
        _("Release the hold first, when what it was placed for is over."),
    ),
    "erasure_done_before": (_("This was erased before."), _("Nothing is left to do.")),
    "erasure_unknown_person": (
        _("Nobody of that address belongs to this seller, or acted for it."),
        _("Check the address; it may have been erased already."),
    ),
    "erasure_last_owner": (
        _("The last owner of a seller cannot be erased."),
        _("Make somebody else owner first."),
    ),
    # Backups.
    "log_behind": (
        _("An older copy of the database was restored: entries that were signed are missing."),
        _(
            "Nothing is registered until somebody looks. Restore the newest backup there is; if what is missing is lost, "
            "the operator says so with: manage.py begin_epoch --reason restored. Then the log goes on in a new epoch."
        ),
    ),
    "log_not_behind": (
        _("Nothing that was signed is missing, so no new epoch is begun."),
        _("The log goes on as it is. A new epoch is only for a database that lost signed entries for good."),
    ),
    "checkpoint_not_ours": (
        _("This is no checkpoint that the log's key signed."),
        _("Nothing was changed. Take a signed checkpoint of this log, or an evidence ZIP of one of its entries."),
    ),
    "entry_unsigned": (
        _("This entry is in a log that was ended before it was signed."),
        _("It was entered once more in the log that followed; take its evidence from there."),
    ),
    "backup_missing": (_("There is no backup of that name."), _("Check the path.")),
    "backup_damaged": (
        _("The backup is damaged or was cut short."),
        _("Nothing was changed. Take another copy of it, or another backup."),
    ),
    "backup_other_version": (
        _("The backup was made by another version."),
        _("Nothing was changed. Install the version that made it, restore, then upgrade."),
    ),
    "restore_not_empty": (
        _("There are data in this installation."),
        _("Nothing was changed. Restore into an empty data directory or database."),
    ),
    "restore_keys_missing": (
        _("The key directory is not in place."),
        _("Nothing was changed. Copy the keys of that installation to ORIGINMARK_KEYS first."),
    ),
    "restore_other_keys": (
        _("The keys are not those of this backup."),
        _("Nothing was changed. Copy the keys of that installation to ORIGINMARK_KEYS first."),
    ),
    # Files made from originals.
    "derivative_unrelated": (
        _("Nothing in this file shows that it was made from this original."),
        _(
            "Choose the right original. A picture that is nearly plain, or changed beyond recognition, cannot be linked."
        ),
    ),
    "derivative_same_file": (
        _("This is the original itself, byte for byte."),
        _("Link the file that you upload to the marketplace instead."),
    ),
    # Right records.
    "right_unknown_number": (
        _("This is no proof number of an original or evidence set here:"),
        _("Copy the number from the page of the original or set."),
    ),
    # Evidence sets.
    "evidence_file_too_large": (
        _("The file is larger than 256 MiB."),
        _("Split it, or register a smaller export of it; a video in parts."),
    ),
    "set_empty": (_("The set holds no file yet."), _("Add at least one file, then register.")),
    "set_too_many": (_("A set takes 2,000 files."), _("Register the rest as a second set.")),
    "set_not_open": (
        _("This set is registered and takes no more files."),
        _("Add later files as a supplement: open the set and choose “Add later files”."),
    ),
    "set_not_registered": (_("This set is not registered yet."), _("Open it and register it first.")),
    "set_bundle_too_large": (
        _("The chosen files are larger than 384 MiB together."),
        _("Choose fewer, and take the rest in a second ZIP."),
    ),
    # Forms and archives.
    "request_id_reused": (
        _("This request was already used for another file."),
        _("Reload the page and send the file again."),
    ),
    "no_file": (_("No file was chosen."), _("Choose one or more pictures, or drop them on the page.")),
    "corrupt_zip": (_("The ZIP cannot be read."), _("Pack the pictures again.")),
    "encrypted": (_("The file has a password."), _("Save it without a password and upload that.")),
    "zip_too_many": (_("The ZIP holds more than 2,000 files."), _("Split it into several.")),
    "zip_too_large": (_("The ZIP unpacks to more than 2 GiB."), _("Split it into several.")),
    "zip_ratio": (
        _("A file in the ZIP unpacks to far more than a picture could; the ZIP was not opened."),
        _("Pack the pictures again with an ordinary program."),
    ),
    "zip_overlap": (
        _("Files inside the ZIP share the same bytes; the ZIP was not opened."),
        _("Pack the pictures again with an ordinary program."),
    ),
    "zip_size_mismatch": (
        _("A file in the ZIP is not as large as the ZIP says."),
        _("Pack the pictures again with an ordinary program."),
    ),
    "duplicate_member": (
        _("Two files in the ZIP have the same name."),
        _("Rename one of them and pack the pictures again."),
    ),
    "unsafe_path": (
        _("A name in the ZIP leads out of its folder or holds control characters."),
        _("Rename the file and pack the pictures again."),
    ),
    "unsafe_member": (
        _("The ZIP holds a link or a device, not only files."),
        _("Pack the files themselves, without links."),
    ),
    "unsupported_member": (
        _("The ZIP holds a program, or a file packed by an unusual method."),
        _("Leave programs out and pack the pictures again with an ordinary program."),
    ),
    "zip_empty": (_("There is no file in the ZIP."), _("Pack the pictures again.")),
    "zip_member_damaged": (
        _("This file inside the ZIP is damaged."),
        _("Pack it again, or register the picture by itself."),
    ),
    "corrupt_pdf": (_("The PDF is damaged."), _("Save it again as a PDF, or print it to a PDF.")),
    "pdf_active_content": (
        _("The PDF holds a script, a link, a form or an attached file."),
        _("Print it to a PDF: what is printed only shows."),
    ),
    "pdf_too_large": (_("The PDF is too large."), _("Save it in a smaller size, or split it.")),
    "pdf_too_many_pages": (_("The PDF has more than 2,000 pages."), _("Split it into several.")),
    "bad_csv": (
        _("The table cannot be read: a quote is not closed, or a row or cell is far too long."),
        _("Open it in a spreadsheet and save it as CSV again."),
    ),
    "bad_encoding": (
        _("The text of the table is neither UTF-8 nor GB18030."),
        _('Save it as "CSV UTF-8".'),
    ),
    "form_invalid": (_("A choice on the form does not exist."), _("Reload the page and try again.")),
    "zip_nested": (_("There is another archive inside the ZIP."), _("Unpack it first and register the pictures.")),
    # Evidence that somebody brings.
    "evidence_unknown": (
        _("This is neither an evidence ZIP nor a certificate PDF."),
        _("Drop the file as you received it."),
    ),
    "evidence_too_large": (
        _("The file is larger than 64 MiB."),
        _("Use the command line: python -m ledger.tlog verify FILE."),
    ),
    "pdf_unreadable": (_("The PDF cannot be read safely."), _("Ask for the file again, or for the evidence ZIP.")),
    "pdf_changed": (
        _("The PDF was changed after it was signed."),
        _("Ask for the file as it was first handed out; do not trust what this one says."),
    ),
    "pdf_other_entry": (
        _("The PDF in the ZIP is about another entry."),
        _("The rest of the ZIP holds. Ask where the PDF comes from."),
    ),
    "pdf_other_signer": (
        _("The evidence inside holds, but this PDF was not signed by this site."),
        _("Trust the entry below, not what the PDF prints."),
    ),
    "pdf_without_bundle": (
        _("There is no evidence inside this PDF."),
        _("A certificate carries it as an attachment; ask for the original file."),
    ),
    # Jobs.
    "not_sample": (_("Sample data goes into a sample seller only."), _("Load it from the overview of a new seller.")),
    "job.worker_died": (
        _("The work was interrupted too many times."),
        _("Start it again; if it fails again, tell the person who runs this site."),
    ),
    "job.timed_out": (_("The work took too long."), _("Start it again with fewer files.")),
    "job.unexpected": (
        _("Something unexpected went wrong."),
        _("Start it again; if it fails again, tell the person who runs this site."),
    ),
    "job.unknown_kind": (
        _("This version does not know this kind of work."),
        _("Finish the upgrade and start it again."),
    ),
    # Outside clocks.
    "authority_url": (_("This is not an address that can be asked."), _("An address starts with https:// or http://.")),
    "authority_local": (
        _("The address lies inside this network."),
        _("If that is intended, tick that local addresses are allowed."),
    ),
    "authority_anchors": (
        _("There is no certificate in the trust anchors."),
        _("Paste the authority's root certificate as PEM, from -----BEGIN CERTIFICATE----- on."),
    ),
    "authority_name": (_("Another outside clock has this name."), _("Choose another name.")),
    "authority_development": (
        _("This is a development clock: its certificate says that it proves nothing."),
        _("For trying things out only: start the site with ORIGINMARK_DEV_TSA=1."),
    ),
    "authority_quota": (_("The quota of calls is used up."), _("Wait until the next call is allowed.")),
    "timestamp.syntax": (
        _("The answer is not a time stamp."),
        _("Check the address: web pages and log-in forms answer like this."),
    ),
    "timestamp.rejected": (
        _("The authority refused to stamp."),
        _("Its reason stands below; check policy and contract."),
    ),
    "timestamp.content": (_("The token holds something else than one time stamp."), _("Tell the authority.")),
    "timestamp.imprint": (
        _("The token is about other bytes."),
        _("An old answer was sent again, or the authority is broken. Nothing of it was kept."),
    ),
    "timestamp.algorithm": (
        _("The token is signed in a way that is no longer safe (SHA-1 or MD5)."),
        _("Ask the authority for its address with SHA-256."),
    ),
    "timestamp.nonce": (
        _("The answer belongs to another request."),
        _("An old answer was sent again, or something between us and the authority stores answers."),
    ),
    "timestamp.policy": (_("The token was issued under another policy."), _("Correct the policy, or leave it empty.")),
    "timestamp.certificate_missing": (
        _("The signer's certificate is not in the answer."),
        _("Add the authority's own certificate to the trust anchors."),
    ),
    "timestamp.usage": (
        _("The signer's certificate is not one for time stamping."),
        _("The address belongs to another service, or the authority is broken."),
    ),
    "timestamp.certificate_id": (_("The token names another certificate than its signer's."), _("Tell the authority.")),
    "timestamp.signature": (
        _("The signature of the token does not fit."),
        _("Nothing of it was kept; tell the authority."),
    ),
    "timestamp.chain": (
        _("The certificates of the authority do not fit together."),
        _("Check the trust anchors: another root of the same name fails like this."),
    ),
    "timestamp.expired": (
        _("A certificate of the authority has expired."),
        _("Ask the authority for its new address or root."),
    ),
    "timestamp.revoked": (
        _("A certificate of the authority was revoked."),
        _("Switch it off and set up another; ask what became of earlier tokens."),
    ),
    "timestamp.untrusted": (
        _("The answer comes from somebody else than the authority you trust."),
        _("Check the address and the trust anchors."),
    ),
    "timestamp.uncheckable": (
        _("This token is signed in a way that cannot be checked here."),
        _("SM2 and SM3 tokens are not supported; ask the authority for RSA or ECDSA with SHA-256."),
    ),
    # Log.
    "log_not_ready": (_("The log has not been created yet."), _("Start the site once with: manage.py up")),
    "checkpoint_overdue": (
        _("Entries have been waiting for a signed checkpoint for too long."),
        _("The background work may have stopped. Seal now on the ledger page, or restart the site."),
    ),
    "log_fork": (
        _("The log disagrees with what was signed before."),
        _("Nothing is signed until the person who runs this site has looked at it; see docs/trust.md."),
    ),
    "key_missing": (_("A key file is missing."), _("Check ORIGINMARK_KEYS.")),
}
UNKNOWN = (
    _("Something went wrong."),
    _("Try again; if it happens again, tell the person who runs this site, with the code."),
)


def add_texts(texts: dict[str, tuple[Any, Any]]) -> None:
    """Another app's codes; each code is explained once."""
    assert not TEXTS.keys() & texts.keys()  # noqa: S101 - a programming error, seen at the first start
    TEXTS.update(texts)


def error_text(code: str) -> ErrorText:
    """The texts of a code; an unknown code says so and is still shown."""
    title, advice = TEXTS.get(code, UNKNOWN)
    return ErrorText(code, title, advice)
