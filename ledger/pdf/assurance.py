"""The six assurance levels: what each one shows and, as plainly, what it lacks. Data only, in zh and en."""

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Bilingual:
    """One statement in both languages of every document."""

    zh: str
    en: str


class Level(IntEnum):
    """How much of the evidence rests on somebody other than us."""

    L0 = 0
    L1 = 1
    L2 = 2
    L3 = 3
    L4 = 4
    L5 = 5


@dataclass(frozen=True, slots=True)
class Assurance:
    """A level with its name, what it shows, and what is still missing."""

    level: Level
    name: Bilingual
    shows: Bilingual
    lacks: Bilingual


ASSURANCES: tuple[Assurance, ...] = (
    Assurance(
        Level.L0,
        Bilingual("链入账本", "Chained by us"),
        Bilingual(
            "这条记录已链入账本，改动它会破坏其后的哈希链。",
            "The entry is chained: altering it breaks every later link.",
        ),
        Bilingual(
            "检查点尚未签名，没有外部时间，也没有第三方见证：目前只有账本运营者自己的说法。",
            "No signed checkpoint, no outside time, no third party: so far this is only the log operator's word.",
        ),
    ),
    Assurance(
        Level.L1,
        Bilingual("检查点已签名", "Checkpoint signed"),
        Bilingual(
            "账本密钥已对包含这条记录的检查点签名；事后改动任何一条记录，验证都会失败。",
            "The log key signed a checkpoint that contains this entry; altering any entry afterwards fails verification.",
        ),
        Bilingual(
            "没有外部时间，也没有见证方：所列时间来自账本运营者自己的时钟，而持有密钥的人可以另造一本账。",
            "No outside time and no witness: the time is the log operator's own clock, and whoever holds the key could "
            "write another log.",
        ),
    ),
    Assurance(
        Level.L2,
        Bilingual("一家外部时间", "One outside clock"),
        Bilingual(
            "一家时间戳机构（RFC 3161）证明：该检查点在其签发时间之前已经存在。",
            "One time-stamping authority (RFC 3161) shows that the checkpoint existed before the time it states.",
        ),
        Bilingual(
            "只依靠一家机构，使用者也未认定其具备资质；没有见证方。",
            "Rests on a single authority, which the user has not marked as accredited; no witness.",
        ),
    ),
    Assurance(
        Level.L3,
        Bilingual("两家或具资质机构", "Two clocks, or accredited"),
        Bilingual(
            "两家相互独立的时间戳机构，或一家由使用者认定具备资质的机构，证明了存在时间。",
            "Two independent authorities, or one the user marks as accredited, attest the time.",
        ),
        Bilingual(
            "没有见证方：仅凭外部时间，不能排除向不同的人出示不同的账本。",
            "No witness: outside time alone does not rule out different logs being shown to different people.",
        ),
    ),
    Assurance(
        Level.L4,
        Bilingual("见证方共签", "Witness quorum"),
        Bilingual(
            "足够数量的独立见证方确认账本只增不改，并对检查点共同签名。",
            "A quorum of independent witnesses confirmed that the log only grew, and cosigned the checkpoint.",
        ),
        Bilingual(
            "未附公证机构或司法存证平台的回执。",
            "No receipt of a notary or of a judicial platform is attached.",
        ),
    ),
    Assurance(
        Level.L5,
        Bilingual("附公证或司法回执", "Notary or judicial receipt"),
        Bilingual(
            "附有公证机构或司法存证平台的回执。",
            "A receipt of a notary or of a judicial platform is attached.",
        ),
        Bilingual(
            "是否采信由法院或平台依个案判断；本文件不证明著作权归属。",
            "Whether it is accepted is for the court or platform to decide; it does not prove who owns the copyright.",
        ),
    ),
)


def assurance(level: int) -> Assurance:
    """The level's texts; ValueError outside 0..5."""
    return ASSURANCES[Level(level)]


def level_with_witnesses(outside_level: int, *, is_witnessed: bool) -> int:
    """The level once a witness quorum is counted in. It comes on top of outside time (L2 and above): a quorum shows that
    there is one history, and L4 promises both.
    """
    return Level.L4 if is_witnessed and Level.L2 <= outside_level < Level.L4 else outside_level
