// Files dropped on any page have to survive the step to the registration page: they wait in this browser's own database,
// are taken out once, and are forgotten after ten minutes.
const NAME = "originmark-handover";
const KEPT_MS = 10 * 60 * 1000;

function open() {
  return new Promise((done, fail) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("files", { autoIncrement: true });
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

function finished(transaction) {
  return new Promise((done, fail) => {
    transaction.oncomplete = () => done();
    transaction.onerror = transaction.onabort = () => fail(transaction.error);
  });
}

export async function handOver(files) {
  try {
    const db = await open();
    const transaction = db.transaction("files", "readwrite");
    const store = transaction.objectStore("files");
    store.clear();
    for (const file of files) store.add({ file, at: Date.now() });
    await finished(transaction);
    db.close();
  } catch {
    // A private window may refuse; the registration page then simply asks for the files again.
  }
}

export async function takeOver() {
  try {
    const db = await open();
    const transaction = db.transaction("files", "readwrite");
    const store = transaction.objectStore("files");
    const request = store.getAll();
    request.onsuccess = () => store.clear();
    await finished(transaction);
    db.close();
    return request.result.filter((kept) => Date.now() - kept.at < KEPT_MS).map((kept) => kept.file);
  } catch {
    return [];
  }
}
