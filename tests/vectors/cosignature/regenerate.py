"""Write checkpoint and keys anew. Run only when the format gains something: old answers must keep verifying."""

from pathlib import Path

from ledger.tlog.cosignature import Ed25519Cosigner, MlDsaCosigner
from ledger.tlog.note import CosignatureSigner, Ed25519Signer, format_vkey, sign_note

TEXT = b"log.example/sample\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
TIME_S = 1_795_276_800
SIGNERS = (
    Ed25519Signer("log.example/sample", b"\1" * 32),
    CosignatureSigner(MlDsaCosigner("log.example/sample", b"\2" * 32, TIME_S)),
    CosignatureSigner(Ed25519Cosigner("witness.example/w1", b"\3" * 32, TIME_S)),
    CosignatureSigner(MlDsaCosigner("witness.example/w2", b"\4" * 32, TIME_S)),
)


def main() -> None:
    folder = Path(__file__).parent
    (folder / "checkpoint").write_bytes(sign_note(TEXT, SIGNERS))
    (folder / "keys").write_text("".join(format_vkey(signer.key) + "\n" for signer in SIGNERS))


if __name__ == "__main__":
    main()
