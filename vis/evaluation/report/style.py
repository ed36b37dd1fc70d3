"""The style of the report's page: light and dark by the reader's choice, plain on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --line: #e3e3df; --ink: #1c1d1f; --soft: #63666b;
  --accent: #2463c4; --accent-soft: #b4cdf2; --track: #ecece8; --miss: #c9c9c4; --warn: #8a5a00;
  --warn-page: #fff6e0;
  --c0: #0b2e6b; --c1: #1d56b3; --c2: #4a86db; --c3: #7fabe6; --c4: #a9c6ee;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #15171a; --card: #1d2024; --line: #33373d; --ink: #eceef0; --soft: #a3a9b1;
    --accent: #6ea8fe; --accent-soft: #2f4f80; --track: #2a2e34; --miss: #565b63; --warn: #ffcf70;
    --warn-page: #332a14;
    --c0: #cfe2ff; --c1: #9cc4ff; --c2: #6ea8fe; --c3: #4b82d1; --c4: #3a619b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 40px 0 4px; }
h3 { font-size: 15px; margin: 0; }
p { margin: 0 0 12px; max-width: 76ch; }
.soft, figcaption, caption { color: var(--soft); }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 12px 0 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.notes { background: var(--warn-page); border-left: 3px solid var(--warn); padding: 8px 14px;
  margin: 18px 0 0; border-radius: 0 6px 6px 0; }
.notes ul { margin: 0; padding-left: 18px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 24px 0 0; }
.card, .panel { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 16px; }
.card .value { font-size: 30px; line-height: 1.1; font-weight: 650; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.card.first { grid-column: span 2; }
.card.first .value { font-size: 46px; color: var(--accent); }
.card .name { font-weight: 600; }
.card .soft { font-size: 13px; line-height: 1.35; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 16px;
  margin-top: 12px; }
.panel h3 { margin-bottom: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 13px; }
td, th { padding: 4px 10px 4px 0; vertical-align: middle; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.wide { width: 55%; }
td small { color: var(--soft); display: block; line-height: 1.3; }
tbody tr + tr td { border-top: 1px solid var(--line); }
svg { display: block; }
svg.bar { width: 100%; height: 12px; }
svg.interval { width: 100%; height: 12px; margin: 8px 0 4px; }
svg.plot { width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 12px; font-family: inherit; }
svg text.axis { font-size: 12px; }
svg text.value { fill: var(--ink); font-size: 12px; font-weight: 600; }
svg text.name { fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .track { fill: var(--track); }
svg .accent { fill: var(--accent); }
svg .soft { fill: var(--accent-soft); }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .line.accent { stroke: var(--accent); fill: none; }
svg .line.mean { stroke: var(--soft); stroke-dasharray: 4 4; stroke-width: 1.5; }
svg .line.c0 { stroke: var(--c0); }
svg .line.c1 { stroke: var(--c1); }
svg .line.c2 { stroke: var(--c2); }
svg .line.c3 { stroke: var(--c3); }
svg .line.c4 { stroke: var(--c4); }
svg.time { width: 100%; height: auto; overflow: visible; }
svg.time .lane { fill: var(--track); }
svg.time .miss { fill: var(--miss); }
svg.time text { fill: var(--ink); }
svg.time text.soft { fill: var(--soft); }
.video { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 16px; margin: 14px 0; break-inside: avoid; }
.video header { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline;
  margin-bottom: 10px; }
.video header .value { font-weight: 650; font-variant-numeric: tabular-nums; }
.sheet { display: grid; overflow-x: auto; gap: 4px; margin: 0 0 12px; }
.sheet .row { color: var(--soft); font-size: 12px; writing-mode: vertical-rl;
  transform: rotate(180deg); text-align: center; }
.sheet .frame { color: var(--soft); font-size: 12px; text-align: center; }
.sheet img { width: 100%; height: auto; display: block; border-radius: 4px; }
details { margin: 10px 0; } summary { cursor: pointer; font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft);
  margin: 0 0 8px; }
footer { margin-top: 40px; color: var(--soft); font-size: 13px; }
@media (max-width: 640px) {
  .pair { grid-template-columns: minmax(0, 1fr); } .card.first { grid-column: auto; }
}
@media print {
  :root { --page: #ffffff; --card: #ffffff; --line: #cccccc; --ink: #000000; --soft: #444444;
    --accent: #2463c4; --accent-soft: #b4cdf2; --track: #eeeeee; --miss: #bbbbbb;
    --c0: #0b2e6b; --c1: #1d56b3; --c2: #4a86db; --c3: #7fabe6; --c4: #a9c6ee;
    color-scheme: light; }
  body { font-size: 11pt; }
  main { max-width: none; padding: 0; }
  .panel, .card, tr { break-inside: avoid; }
}
"""
