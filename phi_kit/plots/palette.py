"""What figures are drawn with on a light page, and what it turns into on a dark one."""

PAPER, INK, QUIET, RULE = "#FFFFFF", "#222222", "#5F6368", "#D9DCE0"
BAND, BAND_EDGE, BAND_INK = "#FFF4DC", "#C98A00", "#8A5A00"
ON_COLOUR = "#1F1F1F"  # words on a coloured cell, which is as light on a dark page
# What a figure's SVG file turns into where its reader's page is dark. The other
# colours stand out from both.
DARK = {
    PAPER: "#15181C",
    INK: "#E6E8EB",
    QUIET: "#A9B1BB",
    RULE: "#3A414A",
    BAND: "#33290F",
    BAND_INK: "#E0B84C",
    "#4B4B4B": "#B9BDC2",
}
