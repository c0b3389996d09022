"""The texts that the showcase streams."""

from __future__ import annotations

from chatdock.workflows.showcase.picture import picture

PROSE = (
    "The harbour lay quiet in the early light. A pilot boat crossed the basin, drew one long line through the water "
    "and was gone behind the mole. On the quay somebody stacked crates, counted them, counted them again, and wrote a "
    "number into a small black book. Nobody was in a hurry. The tide would turn at nine, and until then there was "
    "coffee, and bread, and time enough to look at the ships."
)

MARKDOWN = rf"""# Everything that Markdown can do

A paragraph with **bold**, *italic*, ***both***, ~~struck out~~, `inline code` and a
single line break inside it.  
A hard break came before this line.

## Links and images

- [A link](https://example.com/docs?page=1#top "with a title"), an autolink <https://example.com/auto> and a bare one:
  https://example.com/bare
- Mail: <harbour@example.com>
- A [reference link][reference] and a footnote-like mark[^1]
- A deep link into the page: [Open order 42](chatkit-link://order?id=42&view=full)
- An embedded image: ![A sunset]({picture()})
- An image from elsewhere: ![A lighthouse](https://images.example.com/lighthouse.png)

[reference]: https://example.com/reference
[^1]: Not a footnote in GitHub's flavour unless the renderer knows them.

## Lists

1. First
2. Second
   - nested
     - and deeper

       with a paragraph of its own
3. Third

7. A list that starts at seven
8. and goes on

- [x] A task that is done
- [ ] A task that is not

## Tables

| Berth | Ship              | Length | Arrived          |
|:------|:-----------------:|-------:|------------------|
| 1     | *Aurora*          |   92 m | 06:10            |
| 2     | **Bellatrix**     |  140 m | 07:45            |
| 3     | `Cassiopeia` \| 2 |    8 m | [08:30](https://example.com/arrivals) |

| A wide table | with | many | columns | so | that | it | scrolls | sideways | in | a | narrow | window |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
| one | two | three | four | five | six | seven | eight | nine | ten | eleven | twelve | thirteen |

## Code

```python
async def tide(hour: int) -> str:
    return "low" if hour % 12 < 6 else "high"  # close enough
```

```typescript
const ships: Map<string, number> = new Map([["Aurora", 92]]);
console.log(`${{ships.size}} ship(s)`);
```

```json
{{"berth": 3, "ship": null, "free": true}}
```

```bash
curl -s https://example.com/ships | jq '.[] | select(.length > 100)'
```

```sql
SELECT name, length FROM ship WHERE arrived >= '2026-01-01' ORDER BY length DESC;
```

```html
<p class="note">Shown as <em>code</em>, not as HTML.</p>
```

```diff
- berth: 2
+ berth: 3
```

```
No language, and a line that is much longer than the window is wide, so that it has to scroll instead of being wrapped.
```

    Indented code is code as well.

## Mathematics

Inline: $e^{{i\pi}} + 1 = 0$ and \(a^2 + b^2 = c^2\). A price is no formula: $5 and $10.

$$
\int_{{-\infty}}^{{\infty}} e^{{-x^2}}\,dx = \sqrt{{\pi}}
$$

\[
\begin{{pmatrix}} 1 & 2 \\ 3 & 4 \end{{pmatrix}}
\]

## Quotes

> The sea is everything.
>
> > A quote inside a quote, with a list:
> >
> > - one
> > - two

---

### Third level
#### Fourth level
##### Fifth level
###### Sixth level

Setext heading
--------------

Escapes: \*not italic\*, \# no heading, &amp; &copy; &#8364;. HTML stays text: <b>bold?</b><br>

The end.
"""

UNICODE = """Right to left: مرحبا بالعالم، هذا نص عربي. שלום עולם, זה טקסט בעברית.
Mixed: The word سلام means peace, version 2.0 (גרסה 2.0), and (parentheses) stay.
Isolates: \u2067مرحبا 123\u2069 and then English again.
Emoji: 👩‍👩‍👧‍👦 👨🏽‍🚀 🏳️‍🌈 🇩🇪🇯🇵 👍🏿 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁳󠁣󠁴󠁿
Chinese: 我能吞下玻璃而不伤身体。 Japanese: いろはにほへと、ガラスを食べられます。 Korean: 나는 유리를 먹을 수 있어요.
Thai: ฉันกินกระจกได้ Hindi: मैं काँच खा सकता हूँ Tamil: நான் கண்ணாடி சாப்பிடுவேன்
Combining: é = e\u0301, Å = A\u030a, z\u0351\u036b\u0343\u036a\u0302\u0343a\u0323\u0318\u0321l\u0334\u0321\u0353g\u0320\u0348o\u0328\u0331
Beyond the basic plane: 𝒳 𐍈 𠜎 🀄. Ligatures: ﷽ ﬁ.
Invisible: zero\u200bwidth\u200bspace, soft\u00adhyphen, no\u00a0break, line\u2028separator, paragraph\u2029separator.
A word without an end: Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft
"""

HOSTILE_MARK = "__hostile"
"""The global variable that hostile content sets if any of it is ever run."""

_RUN = f"window.{HOSTILE_MARK}=1"

HOSTILE_URLS = (
    f"javascript:{_RUN}",
    f"JaVaScRiPt:{_RUN}",
    f"java\tscript:{_RUN}",
    f"\x01javascript:{_RUN}",
    f"javascript&colon;{_RUN}",
    f"vbscript:{_RUN}",
    f"data:text/html,<script>{_RUN}</script>",
    f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{_RUN}'/>",
    "file:///etc/passwd",
    "//example.com/protocol-relative",
    "https://user:password@example.com/",
    "https://example.com\u202egnp.exe",
    f"chatkit-link://__proto__?__proto__={_RUN}&constructor=1",
    "chatkit-link:",
    "https://[",
)
"""Link targets that nothing may follow, or that need care."""

HOSTILE = "\n".join(
    (
        "## Hostile text",
        "",
        f"<script>{_RUN}</script>",
        f"<img src=x onerror=\"{_RUN}\"> <svg onload={_RUN}> <iframe srcdoc='<script>parent.{_RUN[7:]}</script>'></iframe>",
        "<style>* {display: none}</style><base href='https://example.com/'><form><input name=body>",
        f'<a href="javascript:{_RUN}">raw link</a> <details open ontoggle={_RUN}>',
        "",
        *(f"- [link {n}]({url}) ![image {n}]({url})" for n, url in enumerate(HOSTILE_URLS, 1)),
        f"- <javascript:{_RUN}> and [a reference][bad] and [a title](https://example.com '\" onmouseover=\"{_RUN}')",
        f"- [entities](&#106;avascript:{_RUN}) [escaped](java\\script:{_RUN}) [https://bank.example](https://example.com)",
        "",
        f"[bad]: javascript:{_RUN}",
        "",
        rf"$\href{{javascript:{_RUN}}}{{x}}$ $\htmlClass{{x}}{{y}}$ $\def\x{{\x\x}}\x$ $\frac{{1}}$",
        "",
        f'```"><img src=x onerror={_RUN}>',
        "the language of this fence is markup",
        "```",
        "",
        "| a table | whose rows | do not fit |",
        "|---|---|---|",
        "| one |",
        f"| <b onclick={_RUN}>two</b> | `|` | three | four | five |",
        "",
        ">" * 60 + " quoted sixty times",
        "[" * 200 + "brackets" + "]" * 200,
        "*_" * 200 + "emphasis" + "_*" * 200,
        "toString constructor __proto__ {{7*7}} ${7*7} %s %n \\u0000 \x00 \x1b[31m",
        "",
        "```python",
        "a fence that is never closed",
    )
)
