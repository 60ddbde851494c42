/** The pages' style: light and dark by the system's setting, from 320 px. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --bg: #f7f7f5; --panel: #ffffff; --ink: #1d2021; --dim: #5c6266; --line: #d9dad6; --link: #0b5cad; --accent: #a84300;
  --healthy: #1b6e3c; --degraded: #8a5a00; --dead: #b3161f; --unknown: #6d3fa8; --on: #ffffff;
  --window: #bcd6f2; --blackout: #00000018; --storm: #f3c37a; --lapsed: #b3161f0b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #16181a; --panel: #1e2124; --ink: #e7e8e6; --dim: #a2a8ac; --line: #34383c; --link: #7db8f5; --accent: #ff9d57;
    --healthy: #5ec98a; --degraded: #eab54f; --dead: #ff7b7b; --unknown: #c2a1f5; --on: #16181a;
    --window: #27496c; --blackout: #ffffff1c; --storm: #7d5413; --lapsed: #ff7b7b12;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 12px 20px 48px; outline: none; overflow-wrap: anywhere; }
h1 { font-size: 20px; margin: 10px 0 8px; line-height: 1.25; }
h2 { font-size: 15px; margin: 0 0 8px; }
h3 { font-size: 14px; margin: 12px 0 4px; }
p { margin: 6px 0; }
a { color: var(--link); }
code, pre, .id { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; font-size: 12.5px; }
small { display: block; font-size: 12px; color: var(--dim); }
.dim, .id { color: var(--dim); }
.id { margin: 0; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--panel); padding: 6px 10px; z-index: 2; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.top { display: flex; justify-content: space-between; align-items: center; gap: 12px; padding: 8px 20px; background: var(--panel); border-bottom: 1px solid var(--line); }
.home { display: inline-flex; align-items: center; gap: 6px; font-weight: 650; color: var(--ink); text-decoration: none; padding: 4px 0; }
.logo { width: 18px; height: 18px; fill: var(--accent); }
.who { display: flex; align-items: center; gap: 12px; min-width: 0; overflow-wrap: anywhere; }
.path { margin: 4px 0 0; } .path a { display: inline-block; min-height: 24px; padding: 2px 0; }
button, .button, input, textarea { font: inherit; color: inherit; }
button, .button { display: inline-block; background: var(--panel); border: 1px solid var(--dim); border-radius: 5px; padding: 5px 12px; text-decoration: none; cursor: pointer; min-height: 32px; }
button:hover, .button:hover { border-color: var(--link); color: var(--link); }
button.primary { background: var(--link); border-color: var(--link); color: var(--bg); font-weight: 600; }
button.quiet { border-color: var(--line); }
input, textarea { background: var(--bg); border: 1px solid var(--dim); border-radius: 5px; padding: 5px 8px; min-height: 32px; max-width: 100%; }
textarea { width: 100%; max-width: 640px; display: block; }
.badge { display: inline-flex; align-items: center; gap: 5px; font-weight: 650; white-space: nowrap; vertical-align: middle; color: var(--unknown); }
.badge svg { width: 14px; height: 14px; flex: none; fill: currentColor; }
.badge .ink { fill: none; stroke: var(--on); stroke-width: 1.8; stroke-linecap: round; }
.badge.healthy { color: var(--healthy); } .badge.degraded { color: var(--degraded); } .badge.dead { color: var(--dead); }
.warn { color: var(--degraded); font-weight: 600; } .page-alarm, small.page { color: var(--dead); font-weight: 600; }
.running { color: var(--link); }
.note { border-left: 3px solid var(--degraded); padding: 4px 10px; background: var(--panel); }
.filters { display: flex; flex-wrap: wrap; gap: 8px 16px; justify-content: space-between; margin: 8px 0; }
.filters form { display: flex; gap: 6px; min-width: min(240px, 100%); } .filters input { min-width: 120px; }
.tabs, .spans { display: flex; flex-wrap: wrap; gap: 4px; }
.tabs a, .spans a { display: inline-flex; gap: 6px; align-items: center; padding: 5px 10px; border: 1px solid var(--line); border-radius: 5px; background: var(--panel); color: var(--ink); text-decoration: none; min-height: 32px; }
.tabs a[aria-current], .spans a[aria-current] { border-color: var(--ink); box-shadow: inset 0 -2px 0 var(--ink); }
.fleet { border: 1px solid var(--line); border-radius: 6px; background: var(--panel); overflow: hidden; }
.row { display: grid; grid-template-columns: minmax(120px, 1.2fr) minmax(110px, 1.1fr) 128px 128px 84px minmax(220px, 2.4fr); gap: 4px 12px; padding: 7px 12px; border-top: 1px solid var(--line); align-items: start; }
.row.head { border-top: 0; color: var(--dim); font-size: 12px; align-items: end; padding-bottom: 0; }
.row.dead { box-shadow: inset 4px 0 0 var(--dead); } .row.unknown { box-shadow: inset 4px 0 0 var(--unknown); } .row.degraded { box-shadow: inset 4px 0 0 var(--degraded); }
.row .who { display: block; } .row .who a { display: inline-block; padding: 2px 0; min-height: 24px; font-weight: 600; text-decoration: none; } .row .who a:hover { text-decoration: underline; }
.incident { color: var(--dead); }
svg.line, svg.scale { display: block; width: 100%; overflow: hidden; }
svg.key { width: 18px; flex: none; }
.scale text { font-size: 11px; fill: var(--dim); }
.tick { stroke: var(--line); } .now { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 2 2; }
.blackout { fill: var(--blackout); } .window { fill: var(--window); } .storm { fill: var(--storm); } .lapsed { fill: var(--lapsed); }
.planned path { fill: var(--link); } .planned.beyond path, .expiry path { fill: none; stroke-width: 2.2; } .planned.beyond path { stroke: var(--link); } .expiry path { stroke: var(--dead); }
.below { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 8px; margin: 8px 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; list-style: none; padding: 0; margin: 6px 0; font-size: 12px; color: var(--dim); }
.legend li { display: flex; align-items: center; gap: 5px; }
.pager { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 8px; margin: 10px 0; } .pager a { min-height: 24px; padding: 2px 0; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 14px; margin: 6px 0; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 10px 0; }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px; margin: 12px 0; }
section.incidents { border-color: var(--dead); }
.page.critical h3 { color: var(--dead); } .page.warning h3 { color: var(--degraded); }
dl { display: grid; grid-template-columns: minmax(110px, 160px) 1fr; gap: 4px 12px; margin: 8px 0; }
dt { color: var(--dim); } dd { margin: 0; } dd p { margin: 0 0 2px; }
.parts, .findings, .timeline, .steps, .plan { list-style: none; margin: 0; padding: 0; }
.parts > li { border-top: 1px solid var(--line); padding: 5px 0; } .parts > li:first-child { border-top: 0; }
.part { display: flex; flex-wrap: wrap; gap: 2px 10px; }
.findings { margin: 2px 0 4px 19px; } .findings li { padding: 2px 0; }
.cause { border-left: 3px solid var(--link); padding-left: 10px; }
pre { overflow-x: auto; background: var(--bg); border: 1px solid var(--line); border-radius: 4px; padding: 8px; white-space: pre-wrap; }
summary { cursor: pointer; color: var(--link); }
.timeline > li { border-left: 3px solid var(--line); padding: 2px 0 8px 12px; margin-left: 4px; }
.timeline > li.outage { border-color: var(--healthy); } .timeline > li.outage.open { border-color: var(--dead); }
.timeline > li.quiet { color: var(--dim); } .timeline h3 { margin: 2px 0 4px; }
.steps li { padding: 1px 0; display: grid; grid-template-columns: max-content 1.2em minmax(0, 1fr); gap: 0 6px; align-items: baseline; } 
.steps li.day { display: block; color: var(--dim); font-size: 12px; } .steps time { color: var(--dim); font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 12px; }
.mark { display: inline-block; width: 1.2em; text-align: center; font-weight: 700; }
.tone-bad .mark, .tone-bad b { color: var(--dead); } .tone-good .mark, .tone-good b { color: var(--healthy); } .tone-act .mark, .tone-act b { color: var(--link); }
.plan dl { margin: 2px 0 6px 22px; grid-template-columns: 60px 1fr; }
.sign-in { display: grid; gap: 4px; max-width: 360px; } .sign-in button { margin-top: 8px; justify-self: start; }
form.order label, .sign-in label { display: block; font-weight: 600; } #reason { width: 100%; max-width: 640px; }
.error { color: var(--dead); font-weight: 600; }
@media (max-width: 900px) {
  main, .top { padding-left: 12px; padding-right: 12px; }
  .row { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2px 10px; }
  .row.head > span:not(.axis) { position: absolute; left: -999px; }
  .row .axis { grid-column: 1 / -1; }
  .row > [data-label] { display: flex; gap: 6px; grid-column: 1 / -1; flex-wrap: wrap; }
  .row > [data-label]::before { content: attr(data-label); color: var(--dim); min-width: 68px; }
  .row > [data-label] small { display: inline; font-size: inherit; }
  .filters form { flex: 1 1 240px; } .filters input { flex: 1; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 6px; }
}
`;
