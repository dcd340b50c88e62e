"""Reports: one file of HTML that opens anywhere, with charts as inline SVG."""
