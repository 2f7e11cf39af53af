"""The page's one style sheet: three hues with fixed roles, for light, dark and paper.

Grey is the pool, ochre is chance, blue is the selection; shape repeats what colour says (area,
band, line), so the plots read without colour too. Text keeps a contrast of at least 4.5 to 1 with
what is behind it.
"""

from __future__ import annotations

import base64
import hashlib

__all__ = ["CSS", "policy"]

#: The style sheet, as it stands in the page: its hash is in the policy.
CSS = """
:root{color-scheme:light dark;--paper:#fbfbf9;--card:#fff;--ink:#1b2024;--soft:#555f68;--line:#dcdfe1;--wash:#f0f1f0;
--pool:#c3c9ce;--dot:#7d8790;--chance:#b5720c;--band:#ecc98f;--pick:#0b62a8;--mark:#fbe6b3;--box:#8a2f2f;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
--mono:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--card:#1b1f23;--ink:#e5e8ea;--soft:#a3adb6;--line:#343a40;
--wash:#23282d;--pool:#4c555d;--dot:#7b8690;--chance:#e0a546;--band:#7d5f2c;--pick:#6cb8f5;--mark:#5a4716;--box:#f0a3a3}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 var(--sans);font-variant-numeric:tabular-nums;
overflow-wrap:anywhere}
thead,td.n{overflow-wrap:normal}thead bdi{overflow-wrap:anywhere}
header.top,main,footer,nav ol{max-width:67rem;margin:0 auto;padding:0 1.25rem}
header.top{padding-top:2.2rem}
.kicker{margin:0;color:var(--soft);font-size:.85rem;letter-spacing:.03em}
h1{margin:.1rem 0 .4rem;font-size:clamp(1.7rem,5vw,2.5rem);line-height:1.15;letter-spacing:-.015em}
.lead{margin:0 0 1.2rem;font-size:1.15rem;max-width:46rem}
h2{margin:0 0 .3rem;font-size:1.4rem;letter-spacing:-.01em;line-height:1.25}
h3{margin:0;font-size:1rem;line-height:1.35}
p{margin:.3rem 0 .8rem;max-width:46rem}
a{color:var(--pick)}
section{padding:1.9rem 0 .2rem;scroll-margin-top:2.6rem}
section+section{border-top:1px solid var(--line);margin-top:1.4rem}
.soft,.basis,.meaning,.more,figcaption,caption{color:var(--soft)}
.basis,.meaning,figcaption,caption{font-size:.86rem;line-height:1.45}
.more{font-style:italic}
nav{position:sticky;top:0;z-index:1;margin-top:1.4rem;background:var(--paper);border-bottom:1px solid var(--line)}
nav ol{display:flex;gap:1.15rem;list-style:none;padding-top:.5rem;padding-bottom:.5rem;overflow-x:auto;
scrollbar-width:none;white-space:nowrap;font-size:.9rem}
nav a{text-decoration:none}
nav a:hover,nav a:focus-visible{text-decoration:underline}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.2rem,1fr));gap:.9rem 1.4rem;margin:0}
.facts dt{color:var(--soft);font-size:.82rem}
.facts dd{margin:0;font-size:1.12rem;font-weight:600}
.note{border-left:3px solid var(--chance);padding:.1rem 0 .1rem .9rem;margin:1.1rem 0 0}
.note p{margin:.2rem 0}
.verdict-all{font-size:1.08rem}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(19.5rem,100%),1fr));gap:1rem;margin:1rem 0}
.card,.rec,.half{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.85rem 1rem;min-width:0}
.card{display:flex;flex-direction:column}
.card .basis{margin:auto 0 0;padding-top:.35rem}
.card .meaning{margin:.35rem 0 0}
.verdict{margin:.1rem 0 .25rem;font-size:.92rem}
.out .verdict{color:var(--pick);font-weight:600}
.trio{display:flex;flex-wrap:wrap;gap:.15rem 1.3rem;margin:.15rem 0 0}
.trio dt{color:var(--soft);font-size:.8rem}
.trio dd{margin:0}
.trio .me dd{font-weight:700;color:var(--pick)}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(25rem,100%),1fr));gap:1.6rem 2rem;margin:1rem 0}
figure{margin:0;min-width:0}
figure h3{margin-bottom:.15rem}
svg{display:block;width:100%;height:auto;overflow:visible}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:.5rem 0;padding:0;list-style:none;font-size:.9rem}
.legend svg{display:inline-block;width:22px;height:14px;margin-right:.4rem;vertical-align:-2px}
.s-pool{fill:var(--pool);stroke:var(--dot);stroke-width:.7;vector-effect:non-scaling-stroke}.s-band{fill:var(--band)}.s-rest{fill:var(--wash)}.s-left{fill:var(--dot)}.s-pick{fill:var(--pick)}
.s-line{fill:none;stroke:var(--pick);stroke-width:1.8;stroke-linejoin:round}
.s-edge{fill:none;stroke:var(--chance);stroke-width:.9}
.s-tick{stroke:var(--chance);stroke-width:1.3}
.s-bar{stroke:var(--pick);stroke-width:3;vector-effect:non-scaling-stroke}
.s-axis{stroke:var(--soft);stroke-width:.7}
.s-grey{stroke:var(--soft);stroke-width:1.6}
.s-halo{fill:var(--pick);stroke:var(--card);stroke-width:1.4}
.s-label{fill:var(--soft);font:10.5px var(--sans)}
.s-frame{fill:none;stroke:var(--line)}
.d-pool,.d-chance,.d-pick{fill:none;stroke-linecap:round}
.d-pool{stroke:var(--dot);stroke-opacity:.6;stroke-width:2.4}.d-chance{stroke:var(--chance);stroke-width:3.2}
.d-pick{stroke:var(--pick);stroke-width:3.2}
.ends{display:flex;justify-content:space-between;gap:1rem;font-size:.84rem;color:var(--soft);line-height:1.35}
.ends span:last-child{text-align:right}.mid{justify-content:center}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;margin:.7rem 0;font-size:.93rem}
caption{text-align:left;padding-bottom:.3rem}
th,td{padding:.32rem .9rem .32rem 0;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--line)}
th{font-weight:600}thead th{color:var(--soft);font-weight:500;font-size:.84rem}
tbody th{font-weight:500;overflow-wrap:anywhere;min-width:5.5rem}
.kind{display:block;color:var(--soft);font-size:.86rem;font-weight:400}
td.n,th.n{text-align:right;white-space:nowrap}
th:last-child,td:last-child{padding-right:0}
td.bar{width:34%;min-width:5.5rem;vertical-align:middle}
td.bar svg{height:15px}
td.me{font-weight:600;color:var(--pick)}
.sides thead th+th{text-align:right;min-width:5.5rem;max-width:11rem}.sides tbody th{min-width:9rem}
.small{font-size:.86rem}.small th,.small td{padding-top:.18rem;padding-bottom:.18rem}
details{margin:.25rem 0;border-bottom:1px solid var(--line);padding-bottom:.3rem}
summary{cursor:pointer;padding:.2rem 0}
summary .n,.plain .n{color:var(--soft);white-space:nowrap}
.plain{max-width:none;margin:.25rem 0;padding:.2rem 0 .5rem;border-bottom:1px solid var(--line)}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:.9rem;margin:.5rem 0 1.4rem}
.rec header{font-size:.86rem;line-height:1.4;color:var(--soft)}
.rec .id{font-family:var(--mono);font-size:.8rem;color:var(--ink);overflow-wrap:anywhere}
.rec .about{margin:0;overflow-wrap:anywhere}
.text{margin:.5rem 0 0;padding:.6rem .7rem;background:var(--wash);border-radius:4px;font:.82rem/1.5 var(--mono);
white-space:pre-wrap;overflow-wrap:anywhere;overflow:hidden;tab-size:4;unicode-bidi:isolate;max-height:30rem;overflow-y:auto}
.text .more{font-family:var(--sans)}
.cp{font:.72rem/1 var(--mono);color:var(--box);border:1px solid;border-radius:3px;padding:0 .2em;margin:0 .1em;
unicode-bidi:isolate;direction:ltr;display:inline-block;white-space:nowrap}
mark{background:var(--mark);color:inherit;border-radius:2px}
bdi{unicode-bidi:isolate}
.defs{columns:2;column-gap:2.5rem}.defs div{break-inside:avoid}
.defs dt{font-weight:600}.defs dd{margin:0 0 .6rem;max-width:46rem;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:.86rem;padding-top:2rem;padding-bottom:3rem}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.3rem .6rem;z-index:2}
:focus-visible{outline:2px solid var(--pick);outline-offset:2px}
@media (max-width:34rem){body{font-size:15.5px}.r{display:none}th,td{padding-right:.6rem}section{padding-top:1.6rem}
.facts{grid-template-columns:repeat(2,1fr)}.defs{columns:1}.lead{font-size:1.06rem}td.bar{width:30%}}
@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--wash:#f4f4f4;
--pool:#c3c9ce;--dot:#7d8790;--chance:#a5690c;--band:#ecc98f;--pick:#0b4f8a;--mark:#fbe6b3;--box:#8a2f2f}
body{font-size:10.5pt}nav,.skip{display:none}section{break-inside:auto;padding-top:1rem}
.card,.rec,figure,tr{break-inside:avoid}.text{max-height:none;font-size:7.5pt}.two{grid-template-columns:1fr 1fr}
h2,h3{break-after:avoid}
details::details-content{content-visibility:visible;display:block;height:auto}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""


def policy() -> str:
    """Return the page's Content-Security-Policy: this style sheet, and nothing else at all."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
