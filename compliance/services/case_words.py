"""Words for what cases are made of: items of the gate with what to do next, states, roles, statements, events."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from compliance.cases.gate import Item

RIGHT_WORDS = {
    "photo": _("photograph"),
    "art": _("artwork"),
    "text": _("text"),
    "design": _("design"),
    "trademark": _("trademark"),
    "patent": _("patent"),
}
OWNERSHIP_WORDS = {
    "own": _("made it ourselves"),
    "work_for_hire": _("made by our employee"),
    "assignment": _("assigned to us by contract"),
    "exclusive_licence": _("exclusive licence by contract"),
}
SOURCE_WORDS = {
    "self": _("we made it"),
    "supplier": _("from a supplier"),
    "ai_generated": _("made by AI"),
    "mixed": _("partly ours, partly not"),
}
PHOTOGRAPHER_WORDS = {
    "self": _("one of the owners"),
    "employee": _("an employee"),
    "assignment": _("somebody else, with a contract that assigns it"),
    "none": _("somebody else, without such a contract"),
}
ACTION_WORDS = {
    "remove_image": _("take the picture down"),
    "remove_listing": _("take the listing down"),
    "preserve_data": _("keep the data"),
}
POSITION_WORDS = {
    "main": _("main image"),
    "detail": _("detail image"),
    "sku": _("SKU image"),
    "video": _("video"),
    "packaging": _("packaging"),
    "product": _("on the product"),
    "text": _("text"),
}
LANGUAGE_WORDS = {"zh": "中文", "en": "English", "es": "español", "ru": "русский", "pt": "português"}
ATTACHMENT_WORDS = {
    "identity": _("identity document or business licence"),
    "authorisation": _("letter of authorisation"),
    "claim_statement": _("signed statement of the claim"),
    "registration_certificate": _("certificate of registration"),
    "first_publication": _("proof of first publication"),
    "official_site_screenshot": _("screenshot of our own site with its address"),
    "infringing_screenshot": _("screenshot of their listing"),
    "camera_original": _("camera original"),
    "outtake": _("outtakes of the shoot"),
    "contract": _("contract or assignment"),
    "third_party_proof": _("proof by a third party (notary, timestamp)"),
    "invoice": _("invoice or order"),
    "environment_report": _("report on the machine that made the capture"),
    "screen_recording": _("screen recording of the capture"),
    "reply_document": _("reply"),
    "court_order": _("court order"),
    "other": _("other document"),
}
STATEMENT_WORDS = {
    "good_faith": _(
        "I believe in good faith that this use is not authorised by the owner, its agent or the law; in an answer to a notice: that the notice is mistaken."
    ),
    "accuracy": _("What this case says is accurate and complete, to the best of my knowledge."),
    "authority_under_perjury": _("Under penalty of perjury: I am the owner of the right or may act for the owner."),
    "truth_guarantee_cn": _(
        "I guarantee that the notice and its evidence are true, and answer in law if they are not."
    ),
    "consent_jurisdiction": _(
        "I accept the jurisdiction of the court for my address (outside the US: where the provider may be found), and service of process from whoever complained."
    ),
    "malicious_notice_ack": _("I know that a wrong notice is liable for the damage, and a malicious one for more."),
}
EVENT_WORDS = {
    "opened": _("Case opened"),
    "edited": _("Changed"),
    "moved": _("Moved"),
    "work_added": _("Original added and put on hold"),
    "work_removed": _("Original taken out"),
    "listing_added": _("Listing added"),
    "listing_edited": _("Listing changed"),
    "listing_removed": _("Listing taken out"),
    "file_added": _("File attached"),
    "file_removed": _("File destroyed"),
    "ticked": _("Statement ticked"),
    "unticked": _("Ticks withdrawn, because what they were about changed"),
    "deadline_added": _("Deadline"),
    "deadline_moved": _("Deadline moved"),
    "deadline_done": _("Done in time"),
    "reminded": _("Reminder sent"),
    "mail_read": _("E-mail read"),
    "costs": _("Costs noted"),
    "packet_built": _("Packet built and recorded"),
}
STEP_WORDS = {
    "ready": _("Ready to file"),
    "gap": _("Back to preparing"),
    "submitted": _("Submitted"),
    "clarification": _("They ask for more"),
    "accepted": _("Accepted"),
    "removed": _("Listing removed"),
    "countered": _("Counter-notice came"),
    "rejected": _("Rejected"),
    "withdrawn": _("Withdraw"),
    "court": _("Goes to court"),
    "closed": _("Close"),
}
MAIL_EVENT_WORDS = {
    "notice_received": _("A complaint against you"),
    "countered": _("A counter-notice to your complaint"),
    "clarification": _("They ask for more"),
    "rejected": _("Rejected"),
    "removed": _("Listing removed"),
    "accepted": _("Accepted"),
    "": _("Not recognised"),
}
STATUS_CHIPS = {
    "draft": "waiting",
    "gap": "needs-you",
    "ready": "needs-you",
    "submitted": "running",
    "clarification": "needs-you",
    "accepted": "passed",
    "removed": "passed",
    "countered": "needs-you",
    "rejected": "failed",
    "withdrawn": "waiting",
    "court": "running",
    "closed": "waiting",
}
_ENTER = {
    "who": _("Fill it in under Who complains."),
    "right": _("Fill it in under The right."),
    "listing": _("Fill it in for each listing."),
    "file": _("Attach it under Files."),
    "message": _("Write it under Text."),
    "notice": _("Fill it in under The notice."),
}
# id of an item -> (what it is, what to do, the part of the page where it is done)
ITEM_WORDS: dict[str, tuple[Any, Any, str]] = {
    "complainant.role": (_("Owner or agent"), _ENTER["who"], "complainant"),
    "complainant.legal_name": (_("Legal name"), _ENTER["who"], "complainant"),
    "complainant.entity": (_("Person or business"), _ENTER["who"], "complainant"),
    "complainant.email": (_("E-mail"), _ENTER["who"], "complainant"),
    "complainant.phone": (_("Phone"), _ENTER["who"], "complainant"),
    "complainant.address": (_("Postal address"), _ENTER["who"], "complainant"),
    "complainant.contact": (_("E-mail, and an address or a phone number"), _ENTER["who"], "complainant"),
    "complainant.secondary_contact": (_("Second contact"), _ENTER["who"], "complainant"),
    "complainant.country": (_("Country"), _ENTER["who"], "complainant"),
    "complainant.brand": (_("Brand"), _ENTER["who"], "complainant"),
    "right.type": (_("Kind of right"), _ENTER["right"], "right"),
    "right.title": (_("Title of the work"), _ENTER["right"], "right"),
    "right.author": (_("Author"), _ENTER["right"], "right"),
    "right.owner": (_("Owner of the right"), _ENTER["right"], "right"),
    "right.ownership_basis": (_("How the owner came by it"), _ENTER["right"], "right"),
    "right.created_on": (_("Made on"), _ENTER["right"], "right"),
    "right.published_on": (_("First published on"), _ENTER["right"], "right"),
    "right.publication_url": (_("Where it was first published"), _ENTER["right"], "right"),
    "right.publication_item": (_("Our own earliest item number"), _ENTER["right"], "right"),
    "right.registration_no": (_("Registration number"), _ENTER["right"], "right"),
    "right.work_link": (_("Address where the work is seen"), _ENTER["right"], "right"),
    "right.work_description": (_("The work in words"), _ENTER["right"], "right"),
    "works": (_("At least one original of ours"), _("Add it under Our pictures."), "works"),
    "works.proven": (
        _("Outside time for each original"),
        _("Wait for the next timestamp, or set up an outside clock under Ledger."),
        "works",
    ),
    "infringement.url": (_("Exact address of each listing"), _ENTER["listing"], "listings"),
    "infringement.place": (_("Address or item number of each listing"), _ENTER["listing"], "listings"),
    "infringement.listing_id": (_("Item number of each listing"), _ENTER["listing"], "listings"),
    "infringement.reason": (_("Reason for each listing"), _ENTER["listing"], "listings"),
    "infringement.position": (_("Where each listing uses it"), _ENTER["listing"], "listings"),
    "infringement.work": (_("Which picture of ours each listing uses"), _ENTER["listing"], "listings"),
    "infringement.one_market": (
        _("One market only"),
        _("Name the market of each listing; open a case of its own for every other market."),
        "listings",
    ),
    "infringement.capture": (
        _("What their page showed, kept"),
        _("Attach a screenshot of their listing under Files."),
        "files",
    ),
    **{f"attachment.{role}": (words, _ENTER["file"], "files") for role, words in ATTACHMENT_WORDS.items()},
    "notice.reference": (_("Number of the notice"), _ENTER["notice"], "notice"),
    "notice.received_at": (_("When the notice came"), _ENTER["notice"], "notice"),
    "message": (_("Text to the target"), _ENTER["message"], "message"),
    "actions": (_("What we ask for"), _ENTER["message"], "message"),
    "signature": (_("Signature"), _("Type your name when you tick the statements."), "statements"),
    "proof_of_right": (_("Proof of the right"), _("One of these is enough, complete:"), "right"),
    "work_identified": (_("Which work it is"), _("One of these is enough, complete:"), "right"),
    "proof_of_authorship": (_("Proof of authorship"), _("One of these is enough, complete:"), "files"),
    **{
        f"statement.{which}": (words, _("Read it and tick it, with your name."), "statements")
        for which, words in STATEMENT_WORDS.items()
    },
    "limit.links": (_("Number of listings"), _("Split the case: more than the target takes at once."), "listings"),
    "limit.links_without_account": (
        _("Number of listings without an account"),
        _(
            "With a verified account there is no such limit: answer that question under Who complains, or split the case."
        ),
        "complainant",
    ),
    "limit.message": (_("Length of the text"), _("Shorten it."), "message"),
    "limit.right.registration_no": (_("Length of the registration number"), _("Shorten it."), "right"),
    "limit.reason": (
        _("A reason that the target does not know"),
        _("Choose one of its own for each listing."),
        "listings",
    ),
    "limit.language": (
        _("Language of the letter"),
        _("The target does not say that it reads this language."),
        "message",
    ),
    "limit.attachment": (
        _("A file that the target does not take"),
        _("Take it out and attach another form of it."),
        "files",
    ),
    "right.ebay_catalogue": (
        _("Not in eBay's product catalogue"),
        _(
            "A picture that sellers may take from eBay's catalogue is no infringement there: leave it out, or withdraw it from the catalogue first."
        ),
        "relationship",
    ),
    "right.shared_asin": (
        _("Not our own upload to a shared ASIN"),
        _("What we uploaded to a shared product page others may use there: leave it out."),
        "relationship",
    ),
    "right.authorised_reseller": (
        _("They may not use it"),
        _("Ask sales whether they are a reseller of ours; do not complain about one who may use it."),
        "relationship",
    ),
    "right.image_source": (
        _("Source of the picture"),
        _(
            "A supplier's picture needs its contract, and the right named as assigned or licensed. A picture made by AI: describe what a person did."
        ),
        "relationship",
    ),
    "right.photographer": (
        _("The photographer's right is with us"),
        _(
            "Without a contract that assigns it, the right is the photographer's: get one, attach it, and name the right as assigned."
        ),
        "relationship",
    ),
    "right.earlier_proof": (
        _("Our proof is older than their first use"),
        _(
            "Enter when their listing was first seen. If ours is younger: add RAW files or outtakes, the first publication, or a registration."
        ),
        "listings",
    ),
}
PROBLEM_WORDS = {
    "met": _("there"),
    "missing": _("missing"),
    "too_long": _("too long"),
    "too_many": _("too many"),
    "too_large": _("too large"),
    "wrong_type": _("not this type"),
    "expired": _("expired"),
    "unknown_value": _("unknown there"),
}
REASON_WORDS = {
    "unanswered": _("not answered yet"),
    "yes": _("you answered: yes"),
    "supplier": _("a supplier's picture without a contract"),
    "ai_generated": _("made by AI"),
    "mixed": _("only partly ours"),
    "none": _("somebody else's, without a contract"),
    "assignment": _("the contract is not attached, or the right is not named as assigned"),
    "later": _("our proof is younger"),
    "unknown": _("not known when theirs was first seen"),
}


def item_label(item_id: str) -> Any:
    """What an item of the gate is; its id where nobody gave it words."""
    return ITEM_WORDS[item_id][0] if item_id in ITEM_WORDS else item_id


def item_row(item: Item) -> dict[str, Any]:
    """An item as the page shows it."""
    label, advice, part = ITEM_WORDS.get(item.id, (item.id, "", ""))
    detail = REASON_WORDS.get(item.detail, item.detail) if item.id.startswith("right.") else item.detail
    return {
        "id": item.id,
        "label": label,
        "portal_label": item.label,
        "advice": "" if item.is_met else advice,
        "part": part,
        "problem": PROBLEM_WORDS[item.problem],
        "detail": detail,
        "is_met": item.is_met,
        "required": item.required,
        "options": [[item_label(fact) for fact in option] for option in item.options] if not item.is_met else [],
    }
