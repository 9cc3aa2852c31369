"""A figure in all its formats: SVG in the page's colours, PNG and PDF black on white."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito's colours, which the colour-blind can tell apart, without black and yellow: both page schemes work
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8c6d31", "#7a7a7a")
# stands for the page's text colour in an SVG
INK = "#123456"


def painted(
    draw: Callable[["Figure"], None], title: str, size: tuple[float, float] = (6.4, 4.0)
) -> dict[str, bytes]:
    """A figure as "svg" (page colours), "png" and "pdf" (black on white).

    Arguments:
        draw: puts axes on the figure and draws on them; text and lines in `INK` take the page's colour.
        title: what a screen reader says of it.
        size: in inches.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "simonides",
        "font.size": 10,
        "font.family": "sans-serif",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
        **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    }
    with matplotlib.rc_context(style):
        picture = Figure(figsize=size)  # not by pyplot, whose backend belongs to the caller
        FigureCanvasAgg(picture)
        draw(picture)
        # places are worked out once, not for each format
        picture.draw_without_rendering()
        picture.set_layout_engine("none")
        # savefig would draw each format twice, to lay it out once more
        buffers = {kind: io.BytesIO() for kind in ("svg", "png", "pdf")}
        picture.set_dpi(160)
        png: Any = FigureCanvasAgg(picture)
        png.print_png(buffers["png"])
        # no dates: the same numbers give the same files
        pdf: Any = FigureCanvasPdf(picture)
        pdf.print_pdf(buffers["pdf"], metadata={"CreationDate": None})
        for ground in (picture.patch, *(axes.patch for axes in picture.axes)):
            ground.set(facecolor="none", edgecolor="none")  # the page's own shows through
        none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        svg_canvas: Any = FigureCanvasSVG(picture)
        svg_canvas.print_svg(buffers["svg"], metadata=none)
        out = {kind: buffer.getvalue() for kind, buffer in buffers.items()}
    svg = out["svg"].decode()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    out["svg"] = svg.replace("<svg ", f'<svg role="img" aria-label="{_plain(title)}" ', 1).encode()
    return out


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in " .,()=-")
