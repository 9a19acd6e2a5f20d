#!/usr/bin/env bash
# counters.sh [DIRECTORY]: writes what the counters mean, from the comments where they are declared,
# to docs/counters.md and Sources/Forwarding/DropHelp.swift under DIRECTORY (default: this tree).
# `make counters` runs it; TidyTests runs it into a directory of its own and compares.
set -euo pipefail

tree=$(cd "$(dirname "$0")/.." && pwd)
readonly tree
readonly forwarding=$tree/Sources/Forwarding
readonly target=${1:-$tree}

# cases FILE ENUM: the cases of an enumeration, one per line, as NAME<tab>COMMENT. A `//` comment
# between them, which names a group, comes as #<tab>COMMENT; a case without a comment has none.
cases() {
    awk -v enum="$2" '
        $0 ~ "enum " enum "[ :]" { inside = 1; next }
        !inside { next }
        /^}/ { exit }
        { sub(/^ +/, "") }
        /^\/\/\/ / { comment = comment (comment == "" ? "" : " ") substr($0, 5); next }
        /^\/\/ / { printf "#\t%s\n", substr($0, 4); comment = ""; next }
        /^case / {
            count = split(substr($0, 6), names, /, */)
            for (i = 1; i <= count; i++) printf "%s\t%s\n", names[i], comment
        }
        { comment = "" }
    ' "$1"
}

# comment FILE PATTERN: the doc comment of the declaration that matches.
comment() {
    awk -v pattern="$2" '
        { sub(/^ +/, "") }
        /^\/\/\/ / { comment = comment (comment == "" ? "" : " ") substr($0, 5); next }
        $0 ~ pattern { print comment; found = 1; exit }
        { comment = "" }
        END { exit !found }
    ' "$1"
}

drop_help() {
    cat <<'END'
// Generated from the comments in Drop.swift by `make counters`; TidyTests compares the two.

extension Drop {
    /// The case's name, as in metrics: `tooBig`.
    public var name: String { "\(self)" }

    /// The case's comment, as the help text of its metric.
    public var help: String {
        switch self {
END
    cases "$forwarding/Drop.swift" Drop | awk -F '\t' '
        # Swift string literals of at most 80 columns, joined with +.
        function literal(text, word, count, i, line, lead) {
            gsub(/[\\"]/, "\\\\&", text)
            count = split(text, word, " ")
            lead = "            "
            for (i = 1; i <= count; i++) {
                if (line != "" && length(line word[i]) > 78) {
                    print lead "\"" line "\""
                    lead = "                + "
                    line = ""
                }
                line = line word[i] (i < count ? " " : "")
            }
            print lead "\"" line "\""
        }
        $1 == "#" { next }
        { print "        case ." $1 ":"; literal($2) }
    '
    printf '        }\n    }\n}\n'
}

# rows: NAME<tab>COMMENT lines as rows of a table. A name stands for itself where there is no comment.
rows() {
    awk -F '\t' '
        function words(name) {
            while (match(name, /[A-Z]/)) {
                name = substr(name, 1, RSTART - 1) " " tolower(substr(name, RSTART, 1)) \
                    substr(name, RSTART + 1)
            }
            return toupper(substr(name, 1, 1)) substr(name, 2) "."
        }
        {
            meaning = $2 == "" ? words($1) : $2
            gsub(/\|/, "\\|", meaning)
            print "| `" $1 "` | " meaning " |"
        }
    '
}

# drop_tables: a table for each group of reasons.
drop_tables() {
    cases "$forwarding/Drop.swift" Drop | while IFS=$'\t' read -r name text; do
        if [[ $name == "#" ]]; then
            printf '\n### %s\n\n| reason | meaning |\n| --- | --- |\n' "${text%.}"
        else
            printf '%s\t%s\n' "$name" "$text" | rows
        fi
    done
}

# What the tables' one writer counts, under the names that the API gives it.
table_totals() {
    local pair
    for pair in endpointMoves:moves endpointsAged:aged endpointsRefused:refused; do
        printf '%s\t%s\n' "${pair%:*}" \
            "$(comment "$forwarding/TableKeeper.swift" "var ${pair#*:}:")"
    done
    printf 'endpoints\tEntries of the endpoint table now.\n'
    printf 'neighbours\tEntries of the neighbour table now.\n'
}

counters_page() {
    cat <<'END'
# Counters

<!-- Generated from comments in Sources/Forwarding by `make counters`: edit those. -->

Each worker counts by itself; what is shown is their sum. Frames are counted as they are on the wire: a superframe counts as
the frames that it stands for. What Weft makes itself, copies by flooding and answers, is counted apart. Of a daemon at rest
these hold exactly:

```
END
    sed -n 's,^//   \([a-z].* = .*\),\1,p' "$forwarding/Counters.swift"
    cat <<'END'
```

*Frames in* are `fromPorts` and `fromUnderlay`. Dropped frames are `weft_drops_total{reason="…"}` in [the metrics](api.md#metrics)
and `count` in the status; dropped copies are `weft_copy_drops_total{reason="…"}` and `copies`. `weft stats` shows both.

## Totals

`counters.totals` in the status, `weft_events_total{event="…"}` in the metrics.

| event | meaning |
| --- | --- |
END
    cases "$forwarding/Counters.swift" Total | rows
    table_totals | rows
    printf '\n## Ports and peers\n\n%s\n\n| counter | meaning |\n| --- | --- |\n' \
        "$(comment "$forwarding/Counters.swift" 'enum FlowCounter')"
    cases "$forwarding/Counters.swift" FlowCounter | rows
    cat <<'END'

In the status these are `rxFrames`, `rxBytes`, `txFrames`, `txBytes` and `drops`, with `dropsByReason`; of a port with limits also `drops` of each direction of `limits`.

## Drops

A frame that goes no further is counted under one of these reasons. There is no uncounted way out.
END
    drop_tables
}

mkdir -p "$target/docs" "$target/Sources/Forwarding"
# Written beside and renamed, so that a failure leaves the old file.
drop_help >"$target/Sources/Forwarding/DropHelp.swift.new"
counters_page >"$target/docs/counters.md.new"
mv "$target/Sources/Forwarding/DropHelp.swift.new" "$target/Sources/Forwarding/DropHelp.swift"
mv "$target/docs/counters.md.new" "$target/docs/counters.md"
