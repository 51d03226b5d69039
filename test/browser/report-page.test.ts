import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { htmlOf, type ReportDocument } from '../../src/evaluation/index.js'
import { childRandom } from '../../src/statistics/index.js'

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const run = promisify(execFile)

/** Many models close together, with names of every length, and bars with long names. */
function crowded(): ReportDocument {
  const random = childRandom(3, 'page')
  const models = Array.from(
    { length: 16 },
    (_, index) => `${['gpt', 'claude', 'mixtral-8x22b', 'QWEN', 'llama-3'][index % 5]}-${'instruct-'.repeat(index % 3)}${index}`,
  )
  const points = models.map((label) => ({
    label,
    x: 10 ** (random.next() * 3 - 2),
    y: { value: 50 + random.next() * 40, low: 45, high: 95 },
  }))
  return {
    title: 'A page',
    sections: [
      {
        heading: 'Plots',
        blocks: [
          {
            kind: 'plot',
            shape: 'scatter',
            caption: 'Scatter',
            x: { title: 'Cost', unit: '$', scale: 'log' },
            y: { title: 'Quality', unit: '%' },
            series: [{ name: 'models', points }],
          },
          {
            kind: 'plot',
            shape: 'bars',
            caption: 'Bars',
            x: { title: 'Model' },
            y: { title: 'Dollars', unit: '$' },
            series: [{ name: 'spent', points: points.map(({ label, y }, x) => ({ label, x, y })) }],
          },
          {
            kind: 'plot',
            shape: 'line',
            caption: 'Line',
            x: { title: 'Day', as: 'days' },
            y: { title: 'Points' },
            series: ['a', 'b'].map((name) => ({ name, points: points.map(({ y }, day) => ({ x: 1_790_000_000 + day * 86_400, y })) })),
          },
        ],
      },
    ],
  }
}

/** Asks the browser where the texts of the plots really lie, as no estimate of ours does. */
const measuring = `<script>
const out = { overlaps: [], outside: [], sideways: document.documentElement.scrollWidth > innerWidth }
for (const svg of document.querySelectorAll('svg')) {
  const frame = svg.getBoundingClientRect()
  const texts = [...svg.querySelectorAll('text')].map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }))
  for (const [index, a] of texts.entries()) {
    if (a.box.left < frame.left - 1 || a.box.right > frame.right + 1 || a.box.top < frame.top - 1 || a.box.bottom > frame.bottom + 1) out.outside.push(a.text)
    for (const b of texts.slice(index + 1))
      if (a.box.left < b.box.right && b.box.left < a.box.right && a.box.top + 3 < b.box.bottom && b.box.top + 3 < a.box.bottom) out.overlaps.push(a.text + ' / ' + b.text)
  }
}
document.title = 'measured ' + JSON.stringify(out)
</script>`

describe.skipIf(chromium === undefined)('the page in Chromium', () => {
  it('has no text on another, none cut off, and does not scroll sideways, as wide as a phone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bursar-page-'))
    try {
      // The page itself forbids scripts: ours may run only where that is taken out.
      const html = htmlOf(crowded())
      const measured = html.replace(/<meta http-equiv[^>]*>\n/, '').replace('</body>', `${measuring}</body>`)
      expect(measured.length).toBeGreaterThan(html.length)
      writeFileSync(join(folder, 'page.html'), measured)
      // Plots scale as a whole, so one width tells of all.
      const flags = [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        `--user-data-dir=${join(folder, 'profile')}`,
        '--window-size=500,900',
        '--dump-dom',
      ]
      const { stdout } = await run(chromium ?? '', [...flags, `file://${join(folder, 'page.html')}`], {
        timeout: 25_000,
        maxBuffer: 1 << 24,
      })
      const told = /<title>measured ([^<]*)<\/title>/.exec(stdout)?.[1]
      expect(told).toBeDefined()
      expect(JSON.parse(told?.replaceAll('&lt;', '<').replaceAll('&amp;', '&') ?? 'null')).toEqual({
        overlaps: [],
        outside: [],
        sideways: false,
      })
    } finally {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    }
  }, 60_000)
})
