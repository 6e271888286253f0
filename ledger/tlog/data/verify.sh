#!/bin/sh
# Checks the evidence in this folder with sh, coreutils, sed, grep, find and openssl 3. Nothing is written here.
#   sh verify.sh [--policy FILE] [--anchors FILE.pem]
# FILE: whom you trust, from elsewhere (the log's policy; certificates of time-stamping authorities).
# Exit codes: 0 PASSED, 1 FAILED, 2 INDETERMINATE, 64 wrong usage. Format: docs/spec/bundle.md, docs/spec/timestamp.md.
LC_ALL=C; export LC_ALL
cd "$(dirname "$0")" || exit 64
HERE=$PWD; cd "$OLDPWD" 2>/dev/null || cd "$HERE" || exit 64
POLICY=; ANCHORS=
while [ $# -gt 0 ]; do
  case $1 in
    --policy) POLICY=$2 ;;
    --anchors) ANCHORS=$2 ;;
    *) echo "usage: sh verify.sh [--policy FILE] [--anchors FILE.pem]" >&2; exit 64 ;;
  esac
  { [ $# -ge 2 ] && [ -r "$2" ]; } || { echo "cannot read ${2:-}" >&2; exit 64; }
  shift 2
done
T=$(mktemp -d) || exit 64
trap 'rm -rf "$T"' EXIT
[ -z "$POLICY" ] || cp "$POLICY" "$T/policy"
[ -z "$ANCHORS" ] || cp "$ANCHORS" "$T/anchors"
cd "$HERE" || exit 64

FAILED=0; OPEN=0
ok() { echo "PASSED         $*"; }
bad() { echo "FAILED         $*"; FAILED=1; }
open() { echo "INDETERMINATE  $*"; OPEN=1; }
digest() { sha256sum < "$1" | cut -c 1-64; }
field() { sed -n "s/.*\"$2\":\"\{0,1\}\([^\",}]*\)[\",}].*/\1/p" "$1" | head -n 1; }
# Canonical base64 only: what decodes and comes back the same.
unb64() { printf %s "$1" | base64 -d > "$2" 2>/dev/null && [ "$(base64 -w 0 < "$2")" = "$1" ]; }

ENTRY_FORM='\{"claim":"[0-9a-f]{64}","kind":"[a-z.]+","log":"[^"\\]+","prev":"[0-9a-f]{64}","seq":(0|[1-9][0-9]*),"ts":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z","v":1,"who":"[0-9a-f]{64}"\}'
is_entry() { [ "$(tr -d '\n' < "$1" | wc -c)" = "$(wc -c < "$1")" ] && grep -Eqx "$ENTRY_FORM" "$1"; }

# The listed files are these files.
if [ -r SHA256SUMS ]; then
  if grep -Evq '^[0-9a-f]{64}  [A-Za-z0-9][A-Za-z0-9_./-]*$' SHA256SUMS || [ ! -s SHA256SUMS ] || [ -n "$(tail -c 1 SHA256SUMS)" ]; then
    bad "sums: SHA256SUMS is not in the agreed form"
  else
    cut -c 67- SHA256SUMS > "$T/listed"
    find . -type f | sed 's,^\./,,' | grep -vx -e SHA256SUMS -e certificate.pdf | sort > "$T/there"
    sort -c -u "$T/listed" 2>/dev/null || bad "sums: the names are not sorted and unique"
    sort "$T/listed" > "$T/sorted"
    comm -13 "$T/sorted" "$T/there" > "$T/unlisted"
    comm -23 "$T/sorted" "$T/there" > "$T/absent"
    [ ! -s "$T/unlisted" ] || bad "sums: not listed: $(head -n 1 "$T/unlisted")"
    [ ! -s "$T/absent" ] || [ -s "$T/unlisted" ] || open "present: missing: $(head -n 1 "$T/absent")"
    wrong=$(sha256sum -c --ignore-missing --quiet SHA256SUMS 2>/dev/null | head -n 1)
    if [ -n "$wrong" ]; then bad "sums: $wrong"; else ok "sums: the files have the listed SHA-256"; fi
  fi
fi
for name in SHA256SUMS log.json proof.tlog-proof checkpoint entry.json claim.json; do
  [ -r "$name" ] || open "present: $name is missing"
done

# The parameter file.
ORIGIN=
if [ -r log.json ]; then
  ORIGIN=$(field log.json origin)
  key=$(field log.json key); name=${key%%+*}; rest=${key#*+}
  if [ -z "$ORIGIN" ] || [ "$name" != "$ORIGIN" ] || ! unb64 "${rest#*+}" "$T/vkey" \
    || [ "$({ printf '%s\n' "$name"; cat "$T/vkey"; } | sha256sum | cut -c 1-8)" != "${rest%%+*}" ]
  then bad "log: log.json does not describe a log and its key"; ORIGIN=; fi
fi

# A note: text, a blank line, signature lines. $1 file, $2 stem for the parts.
split_note() {
  [ "$(wc -l < "$1")" -ge 5 ] && [ -z "$(tail -c 1 "$1")" ] && ! grep -q "$(printf '\r')" "$1" || return 1
  sed '/^$/,$d' "$1" > "$2.text"
  sed '1,/^$/d' "$1" > "$2.signatures"
  [ "$(wc -l < "$2.text")" = 3 ] || return 1
  grep -Evq '^— [^ +]+ [A-Za-z0-9+/]+=*$' "$2.signatures" && return 1
  sed -n 2p "$2.text" | grep -Eqx '0|[1-9][0-9]{0,18}' || return 1
  unb64 "$(sed -n 3p "$2.text")" "$2.root" && [ "$(wc -c < "$2.root")" = 32 ]
}
CHECKPOINT=
if [ -r checkpoint ]; then
  if split_note checkpoint "$T/head"; then
    CHECKPOINT=$(sed -n 1p "$T/head.text"); SIZE=$(sed -n 2p "$T/head.text")
    if [ -n "$ORIGIN" ] && [ "$CHECKPOINT" != "$ORIGIN" ]; then bad "checkpoint: of another log than log.json"
    else ok "checkpoint: $SIZE entries of $CHECKPOINT"; fi
  else bad "checkpoint: not a signed checkpoint"; fi
fi

if [ -n "$CHECKPOINT" ] && [ -r cosignatures ]; then
  if [ ! -s cosignatures ] || [ -n "$(tail -c 1 cosignatures)" ] || grep -Evq '^— [^ +]+ [A-Za-z0-9+/]+=*$' cosignatures; then
    bad "cosignatures: not signature lines"
  else
    cat cosignatures >> "$T/head.signatures"
    while read -r _ _ line; do unb64 "$line" "$T/signed" || { bad "cosignatures: not canonical base64"; break; }; done < cosignatures
  fi
fi

byte() { head -c 1 "$1" | od -An -tx1 | tr -d ' \n'; }
# Whether the key of name $1 and id $2, its bytes in $T/vkey, signed: YES, NO, WRONG, or UNCHECKABLE (another kind than Ed25519).
signed_by() {
  SIGNED=NO; count=0
  for line in $(grep -F -- "— $1 " "$T/head.signatures" | sed 's/.* //'); do
    unb64 "$line" "$T/signed" || { SIGNED=WRONG; return; }
    [ "$(head -c 4 "$T/signed" | od -An -tx1 | tr -d ' \n')" = "$2" ] || continue
    count=$((count + 1)); [ "$count" = 1 ] || { SIGNED=WRONG; return; }
    case $(byte "$T/vkey") in
      01) tail -c +5 "$T/signed" > "$T/sig"; cp "$T/head.text" "$T/message" ;;
      04) # a cosignature says when
        at=0; for part in $(tail -c +5 "$T/signed" | head -c 8 | od -An -tu1); do at=$((at * 256 + part)); done
        tail -c +13 "$T/signed" > "$T/sig"
        { printf 'cosignature/v1\ntime %s\n' "$at"; cat "$T/head.text"; } > "$T/message" ;;
      *) SIGNED=UNCHECKABLE; continue ;;
    esac
    { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; tail -c +2 "$T/vkey"; } > "$T/key"
    SIGNED=WRONG
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$T/key" -rawin -in "$T/message" -sigfile "$T/sig" > /dev/null 2>&1 && SIGNED=YES
  done
}
# Reads the key $1 as name, id and $T/vkey.
read_key() {
  name=${1%%+*}; rest=${1#*+}; id=${rest%%+*}
  unb64 "${rest#*+}" "$T/vkey" || { bad "policy: a key is not base64"; return 1; }
  [ "$({ printf '%s\n' "$name"; cat "$T/vkey"; } | sha256sum | cut -c 1-8)" = "$id" ] || { bad "policy: a key does not fit its id"; return 1; }
}

# Whether the file $1 is a policy: names once, members known and in one group only, thresholds that can be met, one quorum.
is_policy() {
  : > "$T/names"; : > "$T/placed"; quorums=0
  grep -Ev '^[[:space:]]*(#|$)' "$1" > "$T/statements"
  while read -r word who what members; do
    case $word in
      log) [ -n "$who" ] || return 1 ;;
      witness | group)
        [ -n "$what" ] && [ "$who" != none ] && ! grep -qxF -e "$who" "$T/names" || return 1
        if [ "$word" = group ]; then
          all=0
          for member in $members; do
            all=$((all + 1))
            grep -qxF -e "$member" "$T/names" && ! grep -qxF -e "$member" "$T/placed" || return 1
            echo "$member" >> "$T/placed"
          done
          case $what in all) need=$all ;; any) need=1 ;; *[!0-9]*) return 1 ;; *) need=$what ;; esac
          [ "$need" -ge 1 ] && [ "$need" -le "$all" ] || return 1
        fi
        echo "$who" >> "$T/names" ;;
      quorum) quorums=$((quorums + 1)); [ "$who" = none ] || grep -qxF -e "$who" "$T/names" || return 1 ;;
      *) return 1 ;;
    esac
  done < "$T/statements"
  for word in log witness; do # one key has one name
    [ -z "$(grep "^[[:space:]]*$word[[:space:]]" "$T/statements" | sed 's/^[^+]*+[^+]*+//;s/[[:space:]].*//' | sort | uniq -d)" ] || return 1
  done
  [ "$quorums" = 1 ]
}
if [ -r policy ] && ! is_policy policy; then bad "policy: not well formed"; fi

# A log key of the policy signed it. Keys: Ed25519 (algorithm byte 01).
check_signature() {
  found=; wrong=; uncheckable=
  is_policy "$1" || { bad "policy: not well formed"; return; }
  grep -E "^log[[:space:]]" "$1" | sed 's/^log[[:space:]]*\([^[:space:]]*\).*/\1/' > "$T/keys"
  while IFS= read -r key; do
    [ "${key%%+*}" = "$CHECKPOINT" ] || continue
    read_key "$key" || return
    signed_by "$name" "$id"
    case $SIGNED in
      YES) found="$name+$id, SHA-256 of the key $(tail -c +2 "$T/vkey" | sha256sum | cut -c 1-64)" ;;
      WRONG) wrong=1 ;;
      UNCHECKABLE) uncheckable=1 ;;
    esac
  done < "$T/keys"
  if [ -n "$wrong" ]; then bad "signature: a signature under a known key does not fit"
  elif [ -n "$found" ]; then ok "signature: $found"; check_quorum "$1"
  elif [ -n "$uncheckable" ]; then open "signature: of a kind that this openssl cannot check"
  else bad "signature: none by a key of the policy"; fi
}
# As many witnesses of the policy cosigned it as the policy asks for.
check_quorum() {
  quorum=$(sed -n 's/^quorum[[:space:]]*\([^[:space:]]*\).*/\1/p' "$1" | head -n 1)
  case $quorum in ''|none) return ;; esac
  : > "$T/met"; cosigned=
  grep -E '^(witness|group)[[:space:]]' "$1" > "$T/quorum"
  while read -r word who what members; do
    if [ "$word" = witness ]; then
      read_key "$what" || return
      signed_by "$name" "$id"
      [ "$SIGNED" != WRONG ] || { bad "witnesses: the cosignature of $who does not fit"; return; }
      [ "$SIGNED" != YES ] || { echo "$who" >> "$T/met"; cosigned="$cosigned $who"; }
    else
      have=0; all=0
      for member in $members; do all=$((all + 1)); if grep -qxF "$member" "$T/met"; then have=$((have + 1)); fi; done
      case $what in all) need=$all ;; any) need=1 ;; *) need=$what ;; esac
      [ "$have" -lt "$need" ] || echo "$who" >> "$T/met"
    fi
  done < "$T/quorum"
  if grep -qxF "$quorum" "$T/met"; then ok "witnesses: cosigned by$cosigned"
  else open "witnesses: cosigned by${cosigned:- no known witness}: the quorum $quorum is not met"; fi
}
if [ -n "$CHECKPOINT" ]; then
  grep -Evq -- '— ' "$T/head.signatures" && bad "checkpoint: not a signed checkpoint"
  if [ -r "$T/policy" ]; then check_signature "$T/policy"; QUALIFIED=
  elif [ -r policy ]; then check_signature policy; QUALIFIED=1
  elif [ -n "$ORIGIN" ]; then
    QUALIFIED=1; printf 'log %s\nquorum none\n' "$(field log.json key)" > "$T/own"; check_signature "$T/own"
  else open "signature: no key to check with"; fi
fi

# Hash $1 with path $2 (one base64 line per hash), index $3, size $4; the root goes to $5.
climb() {
  { printf '\000'; cat "$1"; } | openssl dgst -sha256 -binary > "$T/hash"
  node=$3; last=$(($4 - 1))
  while IFS= read -r line; do
    [ "$last" != 0 ] || return 1
    unb64 "$line" "$T/sibling" && [ "$(wc -c < "$T/sibling")" = 32 ] || return 1
    if [ $((node & 1)) = 1 ] || [ "$node" = "$last" ]; then
      { printf '\001'; cat "$T/sibling" "$T/hash"; } | openssl dgst -sha256 -binary > "$T/next"
      while [ $((node & 1)) = 0 ] && [ "$node" != 0 ]; do node=$((node >> 1)); last=$((last >> 1)); done
    else
      { printf '\001'; cat "$T/hash" "$T/sibling"; } | openssl dgst -sha256 -binary > "$T/next"
    fi
    mv "$T/next" "$T/hash"; node=$((node >> 1)); last=$((last >> 1))
  done < "$2"
  [ "$last" = 0 ] && mv "$T/hash" "$5"
}
# The parts of a proof file $1: index in INDEX, path in $2, the checkpoint in $3.
read_proof() {
  [ "$(sed -n 1p "$1")" = "c2sp.org/tlog-proof@v1" ] && [ -z "$(tail -c 1 "$1")" ] || return 1
  INDEX=$(sed -n '2s/^index \(0\|[1-9][0-9]\{0,18\}\)$/\1/p' "$1")
  [ -n "$INDEX" ] || return 1
  sed '1,2d;/^$/,$d' "$1" > "$2"
  sed '1,/^$/d' "$1" > "$3"
}
PROOF=
if [ -r proof.tlog-proof ]; then
  if ! read_proof proof.tlog-proof "$T/path" "$T/inner"; then bad "proof: not in the agreed form"
  elif [ -r checkpoint ] && ! cmp -s "$T/inner" checkpoint; then bad "proof: carries another checkpoint"
  else PROOF=$INDEX; ok "proof: for entry $PROOF"; fi
fi

SEQ=
if [ -r entry.json ]; then
  if is_entry entry.json; then
    SEQ=$(field entry.json seq)
    if [ -n "$PROOF" ] && [ -n "$CHECKPOINT" ]; then
      if [ "$SEQ" != "$PROOF" ]; then bad "inclusion: the proof is for entry $PROOF"
      elif [ "$PROOF" -ge "$SIZE" ] || ! climb entry.json "$T/path" "$PROOF" "$SIZE" "$T/root" || ! cmp -s "$T/root" "$T/head.root"
      then bad "inclusion: entry and proof do not give the signed root"
      else ok "inclusion: entry $SEQ is in the tree of $SIZE entries"; fi
    fi
    if [ -n "$ORIGIN" ] && [ "$(field entry.json log)" != "$ORIGIN" ]; then bad "chain: the entry belongs to another log"
    elif [ "$SEQ" = 0 ] && [ -r log.json ] && [ "$(field entry.json prev)" != "$(digest log.json)" ]; then bad "chain: entry 0 continues another parameter file"; fi
  else bad "entry: entry.json is not in the agreed form"; fi
fi

# A document $1 hashes, under the words $2, to the field $3 of the entry $4.
commits() { [ "$({ printf '%s\000' "$2"; cat "$1"; } | sha256sum | cut -c 1-64)" = "$(field "$4" "$3")" ]; }
CLAIM=
if [ -n "$SEQ" ] && [ -r claim.json ]; then
  if commits claim.json ledger/claim/v1 claim entry.json; then CLAIM=1; ok "claim: is what the entry commits to"
  else bad "claim: is not what the entry commits to"; fi
fi
if [ -n "$SEQ" ] && [ -r who.json ]; then
  if commits who.json ledger/identity/v1 who entry.json; then ok "who: is what the entry commits to"
  else bad "who: is not what the entry commits to"; fi
fi
if [ -n "$CLAIM" ] && [ -d originals ]; then
  grep -o '"sha256":"[0-9a-f]*","size":[0-9]*' claim.json > "$T/claimed"
  for file in originals/*; do
    number=$(basename "$file" | sed 's/\..*//;s/^0*//')
    case $number in ''|*[!0-9]*) bad "original: $file: the claim commits to no such file"; continue ;; esac
    want=$(sed -n "${number}p" "$T/claimed")
    if [ -z "$want" ]; then bad "original: $file: the claim commits to no such file"
    elif [ "$want" = "\"sha256\":\"$(digest "$file")\",\"size\":$(wc -c < "$file" | tr -d ' ')" ]; then ok "original: $file is the registered file"
    else bad "original: $file is not the registered file"; fi
  done
fi
if [ -n "$CLAIM" ] && [ -d packet ] && grep -q '"kind":"packet.recorded"' claim.json; then
  if [ -r originals/0001.json ]; then
    sed -n 's/^   "name": "\(.*\)",$/\1/p' originals/0001.json > "$T/names"
    sed -n 's/^   "sha256": "\([0-9a-f]*\)",$/\1/p' originals/0001.json | paste -d ' ' - "$T/names" > "$T/manifest"
    for file in packet/*; do
      if grep -qxF "$(digest "$file") ${file#packet/}" "$T/manifest"; then ok "packet: $file is the recorded file"
      else bad "packet: $file is not the recorded file"; fi
    done
  else open "present: originals/0001.json is missing"; fi
fi

# Outside time: openssl checks token $1 over note $2 with chain $3; GEN is its time.
stamp() {
  for part in "$1.tsr" "$1.note" "$1.chain.pem"; do [ -r "$part" ] || { open "${1%%/*}: $part is missing"; return 1; }; done
  GEN=$(openssl ts -reply -in "$1.tsr" -text 2>/dev/null | sed -n 's/^Time stamp: //p')
  at=$(date -u -d "$GEN" +%s 2>/dev/null)
  { [ -n "$GEN" ] && [ -n "$at" ]; } || { bad "${1%%/*}: $1.tsr is not a granted RFC 3161 response"; return 1; }
  if openssl ts -reply -in "$1.tsr" -text 2>/dev/null | grep -q '^Hash Algorithm: \(sha1\|md5\)'; then bad "${1%%/*}: $1.tsr is made with an unsafe digest"; return 1; fi
  if [ -r "$T/anchors" ]; then cafile=$T/anchors; whose="an authority you trust"; else cafile=$1.chain.pem; whose="the authority it names: compare it"; fi
  said=$(openssl ts -verify -data "$1.note" -in "$1.tsr" -CAfile "$cafile" -untrusted "$1.chain.pem" -attime "$at" -partial_chain 2>&1)
  case $said in
    *"Verification: OK"*) ;;
    *"unable to get local issuer"*|*"self-signed certificate in certificate chain"*|*"self signed certificate in"*|*"unable to get issuer"*)
      open "${1%%/*}: $1.tsr leads to none of the authorities you trust"; return 1 ;;
    *) bad "${1%%/*}: $1.tsr: openssl does not accept it"; return 1 ;;
  esac
}
# The anchor entry $1 with claim $2 names token $3.
names_token() {
  is_entry "$1" && grep -q '"kind":"anchor"' "$1" && commits "$2" ledger/claim/v1 claim "$1" || return 1
  [ -r "$3.tsr" ] && [ -r "$3.note" ] && split_note "$3.note" "$T/stamped" || return 1
  root=$(od -An -v -tx1 "$T/stamped.root" | tr -d ' \n')
  head="\"note_sha256\":\"$(digest "$3.note")\",\"origin\":\"$(sed -n 1p "$T/stamped.text")\",\"root\":\"$root\",\"size\":$(sed -n 2p "$T/stamped.text")"
  token="\"token\":{\"sha256\":\"$(digest "$3.tsr")\",\"size\":$(wc -c < "$3.tsr" | tr -d ' ')}"
  grep -qF "$head" "$2" && grep -qF "$token" "$2" && [ "$(field "$1" log)" = "$(sed -n 1p "$T/stamped.text")" ]
}
if [ -n "$SEQ" ] && [ -n "$CHECKPOINT" ]; then
  for n in 1 2 3 4; do
    [ -n "$(find later -name "$n.*" 2>/dev/null)" ] || continue
    [ -r "later/$n.note" ] || { open "later: later/$n.note is missing"; continue; }
    if ! split_note "later/$n.note" "$T/stamped" || ! cmp -s "$T/stamped.text" "$T/head.text"; then bad "later: later/$n.note is about another tree head"
    elif stamp "later/$n"; then ok "later: in existence at $GEN by $whose"; fi
  done
  if [ -d earlier ]; then
    lines=$(wc -l < earlier/entries.ndjson 2>/dev/null || echo 0)
    missing=
    for part in entries.ndjson anchor.json 1.tsr 1.note; do [ -r "earlier/$part" ] || missing=$part; done
    if [ -n "$missing" ]; then open "earlier: earlier/$missing is missing"
    elif [ "$lines" -lt 1 ] || [ "$lines" -gt 256 ] || [ -n "$(tail -c 1 earlier/entries.ndjson)" ] || grep -Evqx "$ENTRY_FORM" earlier/entries.ndjson; then bad "earlier: the entries are not in the agreed form"
    else
      mkdir "$T/links"; first=$(sed -n '1s/.*"seq":\([0-9]*\),.*/\1/p' earlier/entries.ndjson)
      printf %s "$(sed -n 1p earlier/entries.ndjson)" > "$T/anchor"
      i=1000; while IFS= read -r line; do printf '\000%s' "$line" > "$T/links/$i"; i=$((i + 1)); done < earlier/entries.ndjson
      sha256sum "$T"/links/* | cut -c 1-64 > "$T/leaves"
      { sed -n '2,$p' earlier/entries.ndjson; cat entry.json; echo; } | sed 's/.*"prev":"\([0-9a-f]*\)".*/\1/' > "$T/prevs"
      i=$first; while [ "$i" -lt $((first + lines)) ]; do echo "$i"; i=$((i + 1)); done > "$T/seqs"
      sed 's/.*"seq":\([0-9]*\),.*/\1/' earlier/entries.ndjson > "$T/found"
      if ! names_token "$T/anchor" earlier/anchor.json earlier/1; then bad "earlier: the first entry does not hold this token"
      elif ! cmp -s "$T/leaves" "$T/prevs" || ! cmp -s "$T/seqs" "$T/found" || [ $((first + lines)) != "$SEQ" ] || grep -vqF "\"log\":\"$(field entry.json log)\"" earlier/entries.ndjson; then bad "earlier: the entries do not lead to this one"
      elif stamp earlier/1; then ok "earlier: younger than $GEN by $whose"; fi
    fi
  fi
  for n in 1 2 3 4 5 6 7 8; do
    [ -n "$(find renewal -name "$n.*" 2>/dev/null)" ] || continue
    old=later/1; [ "$n" = 1 ] || old=renewal/$((n - 1))
    missing=
    for part in entry.json anchor.json tlog-proof note tsr; do [ -r "renewal/$n.$part" ] || missing=renewal/$n.$part; done
    for part in tsr note; do [ -r "$old.$part" ] || missing=$old.$part; done
    if [ -n "$missing" ]; then open "renewal: $missing is missing"; continue; fi
    if ! names_token "renewal/$n.entry.json" "renewal/$n.anchor.json" "$old"; then bad "renewal: renewal/$n.entry.json does not hold the token before"
    elif ! split_note "renewal/$n.note" "$T/renewed" || ! read_proof "renewal/$n.tlog-proof" "$T/rpath" "$T/rinner" || ! split_note "$T/rinner" "$T/rproof" \
      || ! cmp -s "$T/rproof.text" "$T/renewed.text" || [ "$INDEX" != "$(field "renewal/$n.entry.json" seq)" ] \
      || [ "$(sed -n 1p "$T/renewed.text")" != "$(field "renewal/$n.entry.json" log)" ] || [ "$INDEX" -ge "$(sed -n 2p "$T/renewed.text")" ] \
      || ! climb "renewal/$n.entry.json" "$T/rpath" "$INDEX" "$(sed -n 2p "$T/renewed.text")" "$T/rroot" || ! cmp -s "$T/rroot" "$T/renewed.root"
    then bad "renewal: renewal/$n.tlog-proof does not lead to the stamped tree head"
    elif stamp "renewal/$n"; then ok "renewal: carried on at $GEN by $whose"; fi
  done
fi

if [ $FAILED = 1 ]; then echo FAILED; exit 1; fi
if [ $OPEN = 1 ]; then echo INDETERMINATE; exit 2; fi
if [ -n "$QUALIFIED" ]; then echo "PASSED under the key named above: compare it with the one you trust"; else echo "PASSED under a key that your policy trusts"; fi
