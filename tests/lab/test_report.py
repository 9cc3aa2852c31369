"""What a page shows of formulas and files that came from outside."""

import pytest

from simonides.lab import formula


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\text{&lt;img src=x onerror=alert(1)&gt;}",
        "<b>",
        r"\frac{",
    ],
)
def test_a_formula_brings_no_markup_of_its_own(latex):
    shown = str(formula(latex))
    for bad in ("<script", "href", "<img", "<b>"):
        assert bad not in shown


def test_a_formula_is_mathml_with_its_signs():
    shown = str(formula(r"N \leq d^2 < \infty, \sum_x e_x"))
    assert shown.startswith("<math")
    assert "&#x02264;" in shown or "\u2264" in shown
    assert "&#x0003C;" in shown or "&lt;" in shown
    assert "&amp;#" not in shown
