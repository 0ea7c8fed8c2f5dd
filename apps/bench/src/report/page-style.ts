/**
 * The style sheet of the report: light and dark after the reader's setting, tables that scroll on their own on narrow screens.
 */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --text: #1c1e21; --back: #ffffff; --soft: #5b626b; --line: #d9dde2; --subject: #0b7a53; --peer: #7d8894; --limit: #b8862b; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --back: #15171a; --soft: #a0a8b1; --line: #343a41; --subject: #35c48d; --peer: #8792a0; --limit: #e0b04e; --bad: #ff8a80; } }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
header { position: sticky; top: 0; z-index: 1; padding: 8px 24px; background: var(--back); border-bottom: 1px solid var(--line); }
h1 { font-size: 18px; margin: 0; }
h2 { margin: 48px 0 8px; padding-top: 8px; font-size: 22px; }
h3 { margin: 32px 0 4px; font-size: 16px; }
h3 code { color: var(--soft); font-weight: normal; font-size: 13px; }
section, h2 { scroll-margin-top: 72px; }
nav a { margin-right: 10px; color: var(--soft); }
main { max-width: 1180px; margin: 0 auto; padding: 0 24px 96px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 24px; }
dt { color: var(--soft); }
dd { margin: 0; }
.chart { position: relative; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; white-space: nowrap; }
th { text-align: right; font-weight: 600; color: var(--soft); padding: 3px 10px; border-bottom: 1px solid var(--line); }
th:first-child { text-align: left; }
td { padding: 3px 10px; border-bottom: 1px solid var(--line); }
td.number { text-align: right; }
tr.subject td.name { color: var(--subject); font-weight: 600; }
tr.limit td { color: var(--limit); }
td.met { color: var(--subject); } td.missed { color: var(--bad); font-weight: 600; } td.unknown { color: var(--soft); }
#goals table { white-space: normal; }
#goals th:not(:last-child) { text-align: left; }
#goals td:first-child, #goals td.number { white-space: nowrap; }
`;
