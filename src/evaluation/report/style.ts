/**
 * How a page looks: ink on paper, dark where the reader's system is. Series differ in shape, dash or hatching besides colour (Okabe and
 * Ito's palette, told apart with any colour sight), so that nothing is lost in grey print.
 */
export const style = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#5a636e;--line:#d5dae0;--grid:#e8ebef;--card:#f6f7f9;--good:#0a6b4a;--bad:#a8321a;
--c0:#0067a8;--c1:#c04f00;--c2:#007d5c;--c3:#a8487f;--c4:#8a6400;--c5:#2f86b8;--c6:#5b5b5b;--c7:#6d4bb0}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e7eaee;--soft:#a2abb6;--line:#3a424c;--grid:#272d34;--card:#1c2126;--good:#5fd3a8;--bad:#ff9a7d;
--c0:#6bb8f0;--c1:#ff9450;--c2:#46cfa2;--c3:#e795c4;--c4:#e6b94a;--c5:#9bd4f5;--c6:#b9c0c8;--c7:#b9a2f2}}
@media print{:root{color-scheme:light;--paper:#fff;--ink:#000;--soft:#333;--line:#999;--grid:#ddd;--card:#fff;--good:#0a6b4a;--bad:#a8321a;
--c0:#0067a8;--c1:#c04f00;--c2:#007d5c;--c3:#a8487f;--c4:#8a6400;--c5:#2f86b8;--c6:#5b5b5b;--c7:#6d4bb0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:52rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .35rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.25rem;line-height:1.3;margin:2.75rem 0 .9rem;padding-top:1.1rem;border-top:1px solid var(--line);overflow-wrap:anywhere}
p{margin:0 0 .9rem;max-width:44rem;overflow-wrap:anywhere}
.sub{color:var(--soft);margin:0}
nav{margin:1.25rem 0 0}nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:0;padding:0}
a{color:var(--c0);text-underline-offset:.15em}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(14.5rem,1fr));gap:.75rem;margin:0 0 1.25rem;padding:0}
.figure{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--soft);border-radius:4px;padding:.7rem .9rem;margin:0}
.figure.good{border-left-color:var(--good)}.figure.bad{border-left-color:var(--bad)}
.figure dt{color:var(--soft);font-size:.875rem}.figure dd{margin:0;overflow-wrap:anywhere}
.figure .said{font-size:1.3rem;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums}
.good .mark{color:var(--good)}.bad .mark{color:var(--bad)}
.note{color:var(--soft);font-size:.875rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.scroll{overflow-x:auto;margin:0 0 1.25rem}
table{border-collapse:collapse;font-size:.9rem;line-height:1.4;min-width:60%}
caption{text-align:left;font-weight:600;padding:0 0 .4rem}
th,td{padding:.32rem .9rem .32rem 0;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--grid)}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-weight:600;border-bottom:1px solid var(--line);vertical-align:bottom}
tbody th{font-weight:500;overflow-wrap:anywhere;min-width:8rem}
.right{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
figure.plot{margin:0 0 1.75rem}
figcaption{font-weight:600;margin:0 0 .4rem}
svg{display:block;width:100%;height:auto;font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
svg text{fill:var(--ink);font-variant-numeric:tabular-nums}svg .soft{fill:var(--soft)}
svg .grid{stroke:var(--grid);stroke-width:1}svg .axis{stroke:var(--soft);stroke-width:1}
svg .guide{stroke:var(--ink);stroke-width:1.25;stroke-dasharray:5 4;fill:none}
svg .lead{stroke:var(--soft);stroke-width:.75}
svg .mark{fill:var(--c);stroke:var(--paper);stroke-width:.75}svg .bare{fill:none;stroke:var(--c);stroke-width:2}
svg .whisker{stroke:var(--c);stroke-width:1.25;fill:none}svg .reach{stroke:var(--ink);stroke-width:1.25;fill:none}
svg .path{stroke:var(--c);stroke-width:2;fill:none;stroke-linejoin:round}
svg .band{fill:var(--c);fill-opacity:.16;stroke:none}
svg .bar{fill:var(--c);stroke:var(--c);stroke-width:1}
svg .halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}
.s0{--c:var(--c0)}.s1{--c:var(--c1)}.s2{--c:var(--c2)}.s3{--c:var(--c3)}.s4{--c:var(--c4)}.s5{--c:var(--c5)}.s6{--c:var(--c6)}.s7{--c:var(--c7)}
details{margin:.35rem 0 0}summary{cursor:pointer;color:var(--soft);font-size:.875rem}details .scroll{margin-top:.5rem}
@page{margin:16mm}
@media print{body{font-size:10.5pt}main{max-width:none;padding:0}nav,details{display:none}h2{break-after:avoid}
figure.plot,.figure,tr{break-inside:avoid}thead{display:table-header-group}.scroll{overflow:visible}p{orphans:3;widows:3}
.figure,svg *{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
`.trim()
