"""Charts as inline SVG: pure functions from numbers to markup, the same bytes for the same numbers.

They carry classes and no styles, so that a page's Content-Security-Policy may forbid inline ones: ``charts.css`` beside
them says how they look. Colour never tells two things apart by itself.
"""
