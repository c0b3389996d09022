"""The widgets of the showcase, as JSON: every component and most of their properties."""

from __future__ import annotations

from typing import Any

from chatdock.workflows.showcase.documents import HOSTILE_MARK, HOSTILE_URLS
from chatdock.workflows.showcase.picture import picture

Json = dict[str, Any]

CHANGED_ID = "changed"
"""The text that shows the last change of a field in the `controls` widget."""


def w(kind: str, *children: Json, **properties: Any) -> Json:
    """A component of a kind, with its children and properties."""
    node: Json = {"type": kind, **properties}
    if children:
        node["children"] = list(children)
    return node


def action(kind: str, payload: Any = None, **how: Any) -> Json:
    """An action's configuration; `how` is `handler`, `loadingBehavior` or `streaming`."""
    return {"type": kind, "payload": payload, **how}


SHIP_CARD = w(
    "Card",
    w(
        "Row",
        w("Image", src=picture(), alt="Aurora at sunset", size=56, radius="md", fit="cover", frame=True),
        w(
            "Col",
            w("Title", value="Aurora", size="md"),
            w("Caption", value="Three-masted schooner", color="secondary"),
            gap=0,
            flex=1,
        ),
        w("Spacer"),
        w("Badge", label="On time", color="success", variant="soft", pill=True),
        gap=3,
        align="center",
    ),
    w("Divider", flush=True),
    w(
        "Row",
        w("Col", w("Caption", value="Length"), w("Text", value="92 m", weight="semibold"), flex=1),
        w("Col", w("Caption", value="Berth"), w("Text", value="1", weight="semibold"), flex=1),
        w("Col", w("Caption", value="Arrived"), w("Text", value="06:10", weight="semibold"), flex=1),
        gap=2,
    ),
    w("Markdown", value="Carries **timber** and *mail*. [Manifest](https://example.com/manifest)"),
    w(
        "Row",
        w("Icon", name="map-pin", size="sm", color="secondary"),
        w("Text", value="North basin", size="sm", color="secondary"),
        gap=1,
    ),
    size="md",
    status={"text": "Harbour desk", "icon": "compass"},
    confirm={"label": "Greet", "action": action("showcase.report", {"greet": "Aurora"})},
    cancel={"label": "Not now", "action": action("showcase.report", {"greet": None}, loadingBehavior="none")},
)

_TEXT = w(
    "Card",
    w("Title", value="Titles, texts, captions", size="lg", weight="bold", textAlign="start"),
    w("Title", value="A long title that is cut after one line " * 3, size="sm", truncate=True, color="emphasis"),
    w("Text", value="Plain text"),
    *(w("Text", value=f"Text in {size}", size=size) for size in ("xs", "sm", "md", "lg", "xl")),
    *(w("Text", value=f"Text that is {color}", color=color) for color in ("secondary", "success", "warning", "danger")),
    w("Text", value="Italic, struck out and semibold", italic=True, lineThrough=True, weight="semibold"),
    w("Text", value="Light or dark", color={"light": "#0a4d8c", "dark": "blue-200"}, textAlign="center"),
    w("Text", value="Two lines of many words at most. " * 12, maxLines=2, minLines=2),
    w("Text", value="Edit me", editable={"name": "note", "placeholder": "A note", "required": True}),
    w("Text", value="Not editable", editable=False, width=160, truncate=True),
    w("Caption", value="A caption, at the end", size="sm", color="tertiary", textAlign="end"),
    w("Markdown", value="# Markdown\n\n- with `code`\n- and a [link](https://example.com)\n\n```python\nprint(1)\n```"),
    *(
        w("Badge", label=f"{variant} {color}", color=color, variant=variant, size=size, pill=size == "lg")
        for variant, size in (("solid", "sm"), ("soft", "md"), ("outline", "lg"))
        for color in ("secondary", "success", "danger", "warning", "info", "discovery")
    ),
    size="md",
)

_LAYOUT = w(
    "Card",
    w(
        "Row",
        w("Box", w("Text", value="Box"), padding=2, background="surface-secondary", radius="md", border=1),
        w("Spacer", minSize=8),
        w(
            "Box",
            w("Text", value="Box, as a row"),
            w("Text", value="of two"),
            direction="row",
            gap=2,
            padding={"x": 3, "y": 1},
            margin={"top": 2},
            border={"size": 2, "color": "strong", "style": "dashed"},
            radius="2xl",
        ),
        align="center",
        justify="between",
        wrap="wrap",
    ),
    w("Divider", color="strong", size=2, spacing=4),
    w(
        "Col",
        *(w("Box", height=12, width=f"{n * 25}%", background=f"blue-{n}00", radius="full") for n in range(1, 5)),
        gap=1,
        border={"left": 4, "bottom": {"size": 1, "color": {"light": "#ccc", "dark": "#444"}}},
        padding="8px",
    ),
    w(
        "Row",
        w("Box", size=40, background="linear-gradient(90deg, #f06, #48f)", radius="full"),
        w("Box", aspectRatio="16/9", minWidth=80, maxWidth="50%", flex=1, background="surface-tertiary"),
        gap="6px",
    ),
    size="lg",
    padding={"x": 4, "y": 3},
    background="surface-elevated",
    status={"text": "Layout", "favicon": picture(), "frame": True},
    theme="dark",
)

_MEDIA = w(
    "Card",
    w("Image", src=picture(), alt="A sunset", aspectRatio=1.5, radius="lg", flush=True),
    w(
        "Row",
        *(
            w(
                "Image",
                src=picture(),
                alt=f"A sunset, {fit}",
                width=64,
                height=64,
                fit=fit,
                position="center",
                frame=True,
            )
            for fit in ("cover", "contain", "fill", "scale-down", "none")
        ),
        gap=2,
    ),
    w("Image", src="https://images.example.com/lighthouse.png", alt="An image from elsewhere", size=48, margin=2),
    w(
        "Row",
        *(w("Icon", name=name, size=size) for name, size in (("star", "xs"), ("bolt", "md"), ("sparkle", "3xl"))),
        w("Icon", name="lucide:anchor", size="xl", color="blue-500"),
        w("Icon", name="vendor:unknown", size="xl"),
        gap=2,
        align="end",
    ),
    size="sm",
)

_BUTTONS = w(
    "Card",
    *(
        w(
            "Row",
            *(
                w(
                    "Button",
                    label=f"{variant} {color}",
                    variant=variant,
                    color=color,
                    onClickAction=action("showcase.report"),
                )
                for color in ("primary", "success", "danger")
            ),
            gap=2,
            wrap="wrap",
        )
        for variant in ("solid", "soft", "outline", "ghost")
    ),
    w(
        "Row",
        *(w("Button", label=size, size=size) for size in ("3xs", "xs", "md", "xl", "3xl")),
        w("Button", iconStart="plus", iconSize="lg", uniform=True, pill=True),
        align="center",
        gap=2,
    ),
    w("Button", label="Primary, with icons", style="primary", iconStart="play", iconEnd="chevron-right", block=True),
    w("Button", label="Secondary, disabled", style="secondary", disabled=True, block=True),
    size="full",
)

_OPTIONS = [
    {"value": "north", "label": "North basin"},
    {"value": "south", "label": "South basin", "description": "Shallow"},
    {"value": "dry", "label": "Dry dock", "disabled": True},
]


def _fields(on_change: Json | None) -> list[Json]:
    changing = {} if on_change is None else {"onChangeAction": on_change}
    return [
        w("Label", value="Ship", fieldName="ship", size="sm", weight="medium"),
        w("Input", name="ship", placeholder="Name of the ship", required=True, pattern="[A-Za-z ]+", autoSelect=True),
        w("Label", value="E-mail", fieldName="contact.email"),
        w("Input", name="contact.email", inputType="email", defaultValue="ada@example.com", variant="soft", pill=True),
        w("Label", value="Remarks", fieldName="remarks"),
        w("Textarea", name="remarks", rows=2, autoResize=True, maxRows=6, placeholder="Remarks", variant="outline"),
        w("Label", value="Basin", fieldName="basin"),
        w(
            "Select",
            name="basin",
            options=_OPTIONS,
            placeholder="Choose a basin",
            clearable=True,
            block=True,
            **changing,
        ),
        w("Label", value="Berth", fieldName="berth"),
        w(
            "Select",
            name="berth",
            options=[{"value": str(n), "label": f"Berth {n}"} for n in range(1, 19)],
            defaultValue="3",
            **changing,
        ),
        w("Label", value="Arrival", fieldName="arrival"),
        w(
            "DatePicker",
            name="arrival",
            placeholder="Pick a day",
            min="2026-01-01T00:00:00Z",
            max="2026-12-31T00:00:00Z",
            defaultValue="2026-06-15T00:00:00Z",
            clearable=True,
            side="top",
            align="start",
            **changing,
        ),
        w("Checkbox", name="pilot", label="A pilot is needed", defaultChecked=True, **changing),
        w(
            "RadioGroup",
            name="cargo",
            ariaLabel="Cargo",
            options=[
                {"value": "timber", "label": "Timber"},
                {"value": "mail", "label": "Mail"},
                {"value": "none", "label": "None", "disabled": True},
            ],
            defaultValue="mail",
            direction="row",
            **changing,
        ),
    ]


_CONTROLS = w(
    "Card",
    *_fields(action("showcase.changed", {"widget": "controls"}, streaming=False)),
    w("Input", name="locked", defaultValue="Disabled", disabled=True),
    w("Textarea", name="locked_remarks", defaultValue="Disabled", disabled=True),
    w("Checkbox", name="locked_pilot", label="Disabled", disabled=True, required=True),
    w("Text", id=CHANGED_ID, value="Nothing changed yet"),
    size="md",
)

_SHIPS_BY_MONTH = [
    {"month": "Jan", "sail": 4, "steam": 9, "tide": 2.4},
    {"month": "Feb", "sail": 6, "steam": 8, "tide": 2.1},
    {"month": "Mar", "sail": 9, "steam": 11, "tide": 3.0},
    {"month": "Apr", "sail": 12, "steam": 10, "tide": 2.7},
]

_CHARTS = w(
    "Card",
    w(
        "Chart",
        data=_SHIPS_BY_MONTH,
        series=[
            {"type": "bar", "dataKey": "sail", "label": "Sail", "stack": "ships", "color": "blue"},
            {"type": "bar", "dataKey": "steam", "label": "Steam", "stack": "ships", "color": "orange"},
        ],
        xAxis="month",
        showYAxis=True,
        showLegend=True,
        showTooltip=True,
        barGap=2,
        barCategoryGap=12,
        height=180,
    ),
    w(
        "Chart",
        data=_SHIPS_BY_MONTH,
        series=[
            {"type": "area", "dataKey": "steam", "label": "Steam", "curveType": "monotone"},
            {"type": "line", "dataKey": "tide", "label": "Tide", "color": {"light": "#0a4d8c", "dark": "#9cf"}},
            {"type": "line", "dataKey": "sail", "label": None, "curveType": "step"},
        ],
        xAxis={"dataKey": "month", "hide": False, "labels": {"Jan": "January"}},
        aspectRatio="16/9",
    ),
    size="full",
)

_LIST = w(
    "ListView",
    *(
        w(
            "ListViewItem",
            w("Icon", name="dot", color="success" if n % 2 else "warning"),
            w("Text", value=f"Ship number {n}"),
            w("Spacer"),
            w("Caption", value=f"Berth {n}"),
            key=f"ship-{n}",
            gap=3,
            align="center",
            onClickAction=action("showcase.report", {"ship": n}),
        )
        for n in range(1, 9)
    ),
    limit=3,
    status={"text": "Eight ships", "icon": "maps"},
)

_TABLE = w(
    "Card",
    w(
        "Table",
        w("Table.Row", *(w("Table.Cell", w("Text", value=head)) for head in ("Berth", "Ship", "Length")), header=True),
        w(
            "Table.Row",
            w("Table.Cell", w("Text", value="1"), rowSpan=2, vAlign="top", padding=2),
            w("Table.Cell", w("Text", value="Aurora"), width=120),
            w("Table.Cell", w("Text", value="92 m"), align="end"),
        ),
        w("Table.Row", w("Table.Cell", w("Badge", label="Nobody else"), colSpan=2)),
    ),
)

GALLERY: dict[str, Json] = {
    "text": _TEXT,
    "layout": _LAYOUT,
    "media": _MEDIA,
    "buttons": _BUTTONS,
    "controls": _CONTROLS,
    "charts": _CHARTS,
    "list": _LIST,
    "basic": w(
        "Basic",
        w("Text", value="A root without a frame"),
        w("Card", w("Text", value="with a card inside")),
        gap=2,
        padding=2,
    ),
    "table": _TABLE,
    "transition": w("Card", w("Transition", children=w("Text", value="The child of a transition", key="first"))),
    "unknown": w(
        "Card",
        w("Text", value="Before something unknown"),
        w("Hologram", value="No client draws this", children=None),
        w("Transition", children=None),
        w("Text", value="After something unknown"),
        collapsed=False,
    ),
}
"""One widget for each family of components, by the name that `widgets` takes."""

FORM = w(
    "Card",
    w(
        "Form",
        *_fields(None),
        w("Button", label="Send", submit=True, style="primary", block=True),
        direction="col",
        gap=2,
        onSubmitAction=action("showcase.submit", {"form": "arrival"}, loadingBehavior="container"),
    ),
    size="md",
)

CARD_FORM = w(
    "Card",
    *_fields(None),
    asForm=True,
    size="md",
    confirm={"label": "Send", "action": action("showcase.submit", {"form": "card"})},
    cancel={"label": "Discard", "action": action("showcase.report", {"form": "discarded"})},
)


def actions_card(presses: int) -> Json:
    """Buttons for a streaming, a sync, a replacing, a client-handled, a failing and an unknown action."""
    counted = {"presses": presses}
    return w(
        "Card",
        w("Text", id="presses", value=f"Pressed: {presses}"),
        w("Button", label="Stream", onClickAction=action("showcase.report", {"from": "Stream"})),
        w("Button", label="Sync", onClickAction=action("showcase.press", counted, streaming=False)),
        w("Button", label="Replace", onClickAction=action("showcase.replace", counted)),
        w("Button", label="Client", onClickAction=action("showcase.client", {"from": "Client"}, handler="client")),
        w(
            "Button",
            label="Slow",
            onClickAction=action("showcase.run", {"text": "slow 2"}, loadingBehavior="container"),
        ),
        w("Button", label="Fail", onClickAction=action("showcase.run", {"text": "error custom retry"})),
        w("Button", label="Fail at once", onClickAction=action("showcase.crash", streaming=False)),
        size="sm",
    )


STORY = "The pilot boat left before the tide turned."
NOTES = "Seen by **two** people, *one* of them awake."


def stream_card(story: str = "", notes: str = "", status: str = "Writing", color: str = "secondary") -> Json:
    """The card that `stream-widget` fills."""
    return w(
        "Card",
        stream_status(status, color),
        w("Text", id="story", value=story, streaming=not story),
        w("Markdown", id="notes", value=notes, streaming=not notes),
        size="md",
    )


def stream_status(label: str, color: str) -> Json:
    """The badge of that card."""
    return w("Badge", id="status", label=label, color=color)


TEMPLATE: Json = {
    "version": "1.0",
    "name": "Ship",
    "template": (
        '{"type":"Card","size":"sm","children":[{"type":"Title","value":{{ name | tojson }}},'
        '{"type":"Text","value":{{ ("Length: " ~ length ~ " m") | tojson }}}]}'
    ),
    "jsonSchema": {"type": "object", "properties": {"name": {"type": "string"}, "length": {"type": "number"}}},
}
"""A widget as the widget builder exports it."""

_MARKUP = f"<img src=x onerror='window.{HOSTILE_MARK}=1'>"

HOSTILE_WIDGET = w(
    "Card",
    w("Title", value=_MARKUP),
    w("Text", value=_MARKUP, color="red;background:url(https://example.com/leak)", width="expression(1)"),
    w("Markdown", value=f"{_MARKUP} [link]({HOSTILE_URLS[0]}) ![image]({HOSTILE_URLS[0]})"),
    w("Image", src=HOSTILE_URLS[0], alt=_MARKUP),
    w("Image", src=HOSTILE_URLS[7], alt="an SVG with script"),
    w("Box", background="url(https://example.com/leak)", height="100vh", border={"size": 99999}),
    w("Button", label=_MARKUP, onClickAction=action("__proto__", {"__proto__": {"polluted": True}})),
    w("Input", name="__proto__.polluted", defaultValue=_MARKUP),
    background="url('https://example.com/leak')",
    status={"text": _MARKUP, "favicon": HOSTILE_URLS[0]},
)


def with_value(node: Any, component_id: str, value: str) -> Any:
    """The widget with the value of one component exchanged."""
    if isinstance(node, list):
        return [with_value(child, component_id, value) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("id") == component_id:
        return {**node, "value": value}
    if "children" in node:
        return {**node, "children": with_value(node["children"], component_id, value)}
    return node
