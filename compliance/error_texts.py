"""The compliance app's error codes in words: what happened and what to do."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from ledger.error_texts import add_texts

add_texts(
    {
        # Hidden-image checks: the form.
        "check.no_main": (_("The main image is missing."), _("Choose the picture that shoppers see.")),
        "check.no_hidden": (
            _("The hidden image is missing."),
            _("Choose the same picture without text, price and promotion."),
        ),
        "profile.unknown": (_("This rule profile does not exist."), _("Choose one from the list.")),
        # Hidden-image checks: the comparison.
        "check.corrupt_image": (
            _("A picture is damaged, so the two could not be compared."),
            _("Export it again and check the new file."),
        ),
        "check.too_many_pixels": (
            _("A picture has more than 50 million pixels."),
            _("Export it smaller; marketplaces accept no pictures of that size."),
        ),
        "check.decode_memory": (
            _("Comparing the two pictures needs too much memory."),
            _("Export them smaller and check again."),
        ),
        "check.decode_timeout": (
            _("Comparing the two pictures took too long."),
            _("Try again; if it happens again, export them smaller."),
        ),
        "check.decode_crashed": (
            _("The two pictures could not be compared safely."),
            _("Try again; if it happens again, export both files anew."),
        ),
        "check.blob_unreadable": (
            _("A stored file cannot be read."),
            _("Tell the person who runs this site: the data directory or the keys may be incomplete."),
        ),
        "check.operation_refused": (
            _("The two pictures could not be compared by this version."),
            _("Finish the upgrade and try again."),
        ),
        # Packets of cases.
        "packet.gate": (
            _("Something that the target requires is missing."),
            _("Open the case and do what its list says next; a draft of the letter is there all the same."),
        ),
        "packet.item_too_large": (
            _("A file is larger than the target takes."),
            _("Make it smaller, leave it out, or send it by another way and say so in the message."),
        ),
        "packet.too_many_parts": (
            _("The packet would need more files than the target takes."),
            _("Leave out what is not asked for, or split the case."),
        ),
        "packet.too_large": (
            _("The packet is larger than the target takes."),
            _("Leave out what is not asked for, or split the case."),
        ),
        "packet.file_name": (
            _("Two files of the packet would have one name."),
            _("Take one of the attached files away and attach it again."),
        ),
        "packet.language": (_("There is no letter in that language."), _("Choose one from the list.")),
        # Captures of pages.
        "capture.url": (
            _("The address is not one of a web page."),
            _("Copy it from the browser's address bar; it begins with http:// or https://."),
        ),
        "capture.future": (
            _("The capture would have been made in the future."),
            _("Enter the time in UTC, as the machine that looked showed it."),
        ),
        "capture.no_file": (
            _("This capture has no file."),
            _("The fetch has not ended or failed, or the capture was erased with its original."),
        ),
        "capture.empty_answer": (
            _("The server answered without any content."),
            _("Open the page yourself and send a screenshot or a saved page."),
        ),
        # A collage and its SKUs.
        "skus.none": (
            _("No SKU was named and no hidden image was sent."),
            _("Send one hidden image per SKU, named after it, or write the SKUs one per line."),
        ),
        "skus.too_many": (_("These are more than 60 SKUs."), _("Check the collage in several parts.")),
        "skus.too_long": (_("A SKU has at most 100 characters."), _("Shorten it and send the form again.")),
        "skus.unfinished": (
            _("The check has no result yet."),
            _("Wait until it is finished; then there is a receipt."),
        ),
        # Catalogues from the page.
        "feed.kind": (
            _("This kind of file cannot be imported."),
            _("Send CSV, XLSX, JSON lines, a ZIP of pictures, or a WARC or WACZ."),
        ),
        "feed.empty": (_("There is nothing to import in the file."), _("Look whether it was exported whole.")),
        "feed.web_archive": (
            _("The web archive is damaged or is none."),
            _("Capture the pages again, or export the archive once more."),
        ),
        "import.state": (
            _("This import is past that step."),
            _("Open it from the list of imports: it says how far it is."),
        ),
        # The watch.
        "webhook.off": (_("There is no webhook any more."), _("Set one under Watch, Alerts.")),
        "watch.no_decision": (
            _("That is no decision about a match."),
            _("Go back and choose one of the buttons."),
        ),
        "watch.unknown_shop": (
            _("No match is about this shop."),
            _("Only shops that the watch has found can be allowed, denied or watched."),
        ),
        # Many pairs at once.
        "batch.no_pair": (
            _("No pair of a main and a hidden image was found in what you sent."),
            _("Name the files A1_main.jpg and A1_hidden.jpg, or send a CSV that says which belong together."),
        ),
        "batch.too_many": (_("These are more than 200 pairs."), _("Send them in several parts.")),
        "batch.malformed": (
            _("The CSV cannot be read."),
            _("It needs the columns id, main and hidden, each id once. Start from the template."),
        ),
        "batch.no_main": (
            _("The main image of this row is missing."),
            _("Send it under the name of its hidden image."),
        ),
        "batch.no_hidden": (
            _("The hidden image of this row is missing."),
            _("Send it under the name of its main image."),
        ),
        "batch.two_main": (_("Two files call themselves the main image of this row."), _("Keep one of them.")),
        "batch.two_hidden": (_("Two files call themselves the hidden image of this row."), _("Keep one of them.")),
        "batch.file_not_sent": (
            _("A file that this row names was not sent."),
            _("Send it along under exactly this name, or give the SHA-256 of a picture that is stored here."),
        ),
        "batch.original_unknown": (
            _("The original that this row names is not registered."),
            _("Register it first, or leave the cell empty: it is then looked for by its pixels."),
        ),
        "batch.finished": (
            _("Every row of this batch has its answer."),
            _("Start a new one with the corrected files."),
        ),
        "quality.too_many": (
            _("These are more pictures than can be checked at once."),
            _("Send at most 20, then the next ones."),
        ),
        "check.pair_refused": (
            _("A file of the pair is not a picture that can be checked."),
            _("What is wrong stands beside the file."),
        ),
        "check.finished": (_("The check has its result already."), _("Start a new one with the corrected files.")),
        "check.unfinished": (
            _("The check has no result yet."),
            _("Wait until it is finished; then there is a receipt."),
        ),
        "file_unreadable": (_("The file cannot be read."), _("Check its name and who may read it.")),
        "check.lost": (
            _("Nobody is working on this check any more."),
            _("Start it again; both files are still stored."),
        ),
        # Searches: the form, a page's address, and queries nobody answers.
        "search.unfinished": (
            _("The search has no answer yet."),
            _("Wait until it is finished; then there is a receipt."),
        ),
        "search.no_query": (
            _("There is nothing to search for yet."),
            _("Drop a picture, paste the address of one, or pick one of your originals."),
        ),
        "search.lost": (
            _("Nobody is working on this search any more."),
            _("Start it again; the picture is still stored."),
        ),
        "search.file_unreadable": (_("The file cannot be read."), _("Check its name and who may read it.")),
        "fetch.bad_url": (_("This is not a web address."), _("Copy the picture's own address from the browser.")),
        "fetch.bad_scheme": (
            _("Only addresses that begin with http:// or https:// can be read."),
            _("Copy the picture's own address from the browser, or save the picture and upload it."),
        ),
        "fetch.credentials": (
            _("The address carries a user name or a password."),
            _("Save the picture and upload it instead."),
        ),
        "fetch.bad_port": (
            _("The address names an unusual port."),
            _("Only ports 80 and 443 are read. Save the picture and upload it instead."),
        ),
        "fetch.bad_host": (
            _("The address does not name a full web host."),
            _("Copy the picture's own address from the browser."),
        ),
        "fetch.private_address": (
            _("The address leads into a private network and was not opened."),
            _("Save the picture and upload it instead."),
        ),
        "fetch.unresolved": (
            _("There is no server of that name."),
            _("Check the address for typing errors."),
        ),
        "fetch.too_many_redirects": (
            _("The server kept sending us elsewhere."),
            _("Open the picture alone in a browser tab and copy that address."),
        ),
        "fetch.insecure_redirect": (
            _("The server wanted to continue without encryption."),
            _("Save the picture and upload it instead."),
        ),
        "fetch.timeout": (
            _("The server took longer than 20 seconds."),
            _("Try again, or save the picture and upload it."),
        ),
        "fetch.too_large": (
            _("What is at this address is larger than 20 MiB."),
            _("Save the picture, make it smaller and upload it."),
        ),
        "fetch.unsupported_type": (
            _("What is at this address is not a picture."),
            _("Open the picture alone in a browser tab and copy that address, not the page's."),
        ),
        "fetch.http_error": (
            _("The server did not hand the picture out."),
            _("Many shops refuse programs. Save the picture in your browser and upload it."),
        ),
        # Catalogues: the file, its rows, and their pictures.
        "feed.malformed": (_("The file is not proper CSV."), _("Export it again as CSV from a spreadsheet.")),
        "feed.too_large": (
            _("The file has more than 64 MiB, 100,000 rows or 200 columns."),
            _("Split it and import the parts under the same catalogue name."),
        ),
        "feed.encoding": (
            _("The file's characters are neither UTF-8 nor GB18030."),
            _("Save it as CSV UTF-8 from the spreadsheet."),
        ),
        "feed.header": (
            _("The first line does not name the columns product_id and image, each once."),
            _("Compare it with the template."),
        ),
        "feed.no_product_id": (_("The product id is empty."), _("Fill it in and import the file again.")),
        "feed.no_image": (_("The picture's file name is empty."), _("Fill it in and import the file again.")),
        "feed.cell_too_long": (
            _("The product id, the picture's name or some cell is too long."),
            _("Shorten it and import the file again."),
        ),
        "feed.extra_cells": (
            _("The row has more cells than the header: probably a comma without quotes."),
            _("Export the file again from a spreadsheet."),
        ),
        "feed.bad_date": (
            _("A date cannot be understood."),
            _("Write dates like 2026-11-21 or 2026-11-21T16:00:00+08:00."),
        ),
        "feed.cut": (_("A text was longer than we keep and was cut."), _("Nothing to do; the picture was imported.")),
        "feed.bad_url": (
            _("The address is not a web address and was left out."),
            _("Correct it and import the file again; the picture was imported."),
        ),
        "feed.bad_country": (
            _("The country is not a two-letter code and was left out."),
            _("Write CN, US and the like and import the file again; the picture was imported."),
        ),
        "feed.picture_not_found": (
            _("There is no such picture in the folder."),
            _("Check the file name; it counts from the folder given with --images."),
        ),
        "feed.picture_outside": (
            _("The picture's name leads out of the folder."),
            _("Put the picture into the folder given with --images."),
        ),
        "feed.picture_is_address": (
            _("The picture is given as a web address."),
            _("Download the pictures into a folder and write their file names."),
        ),
        # Compliance packs and repairs.
        "pack.too_small": (
            _("The pack's pictures would be smaller than the marketplace takes."),
            _("Register a larger version of the photo. Enlarging a small one adds no detail."),
        ),
        "pack.too_large": (
            _("No acceptable compression brings the picture under the limit in bytes."),
            _("Make width and height smaller and try again."),
        ),
        "pack.format_not_allowed": (
            _("The file's format does not allow this."),
            _("Export it as JPG or PNG and try again."),
        ),
        "pack.overlay_not_layered": (
            _("The overlay has no transparent pixel, so it would hide the product."),
            _(
                "Export only the promotion's layers, as PNG with transparency; or give the finished picture as main image."
            ),
        ),
        "pack.overlay_empty": (
            _("The overlay is transparent all over."),
            _("Make the promotion's layers visible and export it again."),
        ),
        "pack.overlay_shape": (
            _("The overlay has another aspect ratio than the original."),
            _("Export the overlay with the original's whole frame, at any size."),
        ),
        "pack.overlay_and_main": (
            _("An overlay and a finished main image were given together."),
            _("Give one of the two."),
        ),
        "pack.main_not_from_original": (
            _("The original was not found in the picture."),
            _("Choose the original that the picture was made from."),
        ),
        "pack.main_transformed": (
            _("The original lies turned, mirrored, slanted or stretched in the picture."),
            _("Only crops, scales and changed colours can be followed. Give the promotion as overlay instead."),
        ),
        "pack.main_beyond_original": (
            _("The picture shows places outside the original's frame."),
            _(
                "What is under the promotion there is unknown. Register the photo with the larger frame, or give the promotion as overlay."
            ),
        ),
        "pack.main_reworked": (
            _("Most of the picture differs from the original."),
            _("Register the retouched photo without promotion and make the pack from that."),
        ),
        "pack.fix_unknown": (
            _("There is no automatic repair for this finding."),
            _("Its advice says what to do by hand."),
        ),
        "pack.original_missing": (
            _("This repair takes the place from the registered original, and there is none."),
            _("Register the original first. Nothing is ever painted over by guessing."),
        ),
        "pack.main_missing": (
            _("This repair follows the main image, and there is none."),
            _("Give the main image too."),
        ),
        "pack.regions_missing": (
            _("No place to repair lies within the picture."),
            _("Check the picture again and choose a finding with a place."),
        ),
        "pack.ratio_differs": (
            _("Resizing would stretch the product: the aspect ratios differ."),
            _("Use the main image's crop for the hidden image."),
        ),
        "pack.background_not_plain": (
            _("There is no plain background at the picture's edge."),
            _("Export the hidden image from the same photo with the same background."),
        ),
        "pack.nothing_to_fix": (
            _("The file already is as this repair would make it."),
            _("Nothing to do."),
        ),
        "pack.large_as_main": (
            _("Saved like its main image, the hidden image stays too large a file."),
            _("Save both images again with stronger compression, in the same way."),
        ),
        "repair.not_offered": (
            _("This check has no finding that this repair could mend."),
            _("Its findings say what to do by hand."),
        ),
        "repair.finished": (
            _("The repair has its file already."),
            _("Open its check; other files get a repair of their own."),
        ),
        "repair.lost": (
            _("Nobody is working on this repair any more."),
            _("Try it again; the pictures are kept."),
        ),
        "answer.no_question": (
            _("The check asks nothing there."),
            _("Reload the page; somebody may have answered already."),
        ),
        "pack.batch_malformed": (
            _("The CSV cannot be read as a list of packs."),
            _("Correct the line that is named and send it again."),
        ),
        "pack.no_original": (
            _("No original was chosen."),
            _("Tick at least one, or send a CSV."),
        ),
        "pack.too_many": (
            _("One order makes at most 200 packs."),
            _("Split it."),
        ),
        "pack.sku_twice": (
            _("The same SKU stands in the order twice."),
            _("Give every pack a name of its own."),
        ),
        "pack.sku_unsafe": (
            _("The SKU cannot be the name of a folder."),
            _("Use letters, digits, dots, underscores and hyphens, at most 100."),
        ),
        "pack.original_unknown": (
            _("This seller has no such original."),
            _("Register the photo first, or correct the name."),
        ),
        "pack.main_for_several": (
            _("One finished main image cannot serve several originals."),
            _("Choose its one original, or send a CSV with a main image for each."),
        ),
        "pack.file_not_sent": (
            _("A file that the CSV names was not sent."),
            _("Choose it together with the CSV."),
        ),
        "pack.refused": (
            _("The order cannot be taken as it is."),
            _("What is wrong stands beside it."),
        ),
        "pack.finished": (
            _("Everything of this order has been made."),
            _("Order again for other files."),
        ),
        "pack.unfinished": (
            _("No pack of this order has been made yet."),
            _("Wait until one is finished; then there is a ZIP."),
        ),
        # Cases.
        "case.refused": (_("This cannot be done with the case."), _("Look at its state and its gate.")),
        "case.unknown_target": (
            _("This target has no form for this kind of case."),
            _("Choose another target or another kind."),
        ),
        "case.not_ready": (
            _("Required items are missing, so the case cannot be filed."),
            _("The gate names each of them with what to do."),
        ),
        "case.no_such_step": (
            _("A case in this state cannot take this step."),
            _("The page offers the steps that are possible now."),
        ),
        "case.closed": (_("The case is closed."), _("Open a new one; a closed case stays as it was.")),
        "case.note_missing": (_("This step needs a reason."), _("Write in a few words why.")),
        "case.reason_missing": (_("A deadline moves only with a reason."), _("Write in a few words why.")),
        "case.not_changeable": (
            _("What was submitted stays as it was submitted."),
            _("It can be changed once the target asks for more or rejects it; withdraw it otherwise."),
        ),
        "case.too_many_listings": (_("A case holds at most 1,000 listings."), _("Open another case for the rest.")),
        "case.name_missing": (_("A statement needs the name of who makes it."), _("Type your full name.")),
        "case.nothing_ticked": (_("No statement was ticked."), _("Read each one and tick those that you make.")),
        "case.file_empty": (_("The file is empty."), _("Choose it again.")),
        "case.file_too_large": (
            _("The file is larger than the target takes."),
            _("Make it smaller or split it; the target's page says how large it may be."),
        ),
        "case.file_wrong_type": (
            _("The target does not take files of this type."),
            _("Save it as a type that the target takes, usually PDF."),
        ),
        "case.not_a_number": (_("This is no proof number."), _("Copy it from the original's page.")),
        "case.too_many_addresses": (_("At most 200 addresses at once."), _("Add the rest on the case's page.")),
        "case.no_listing": (_("Neither address nor item number was given."), _("Give one of the two.")),
        "case.deadline_incomplete": (
            _("The deadline is incomplete."),
            _("Choose a rule and when its clock starts, or say what is due and when."),
        ),
        "case.unknown_original": (
            _("No original of this seller has this proof number."),
            _("Copy the number from the original's page."),
        ),
    }
)
