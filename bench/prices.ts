/**
 * Real usage objects against their expected price: `npm run bench:prices`. Exits 1 on a disagreement that has no proved
 * reason. Options: `--test DIR` (dataset root), `--price-data FILE` (a table of genai-prices), `--at DATE` (when the calls are
 * taken to have been made), `--json FILE`.
 */
import { basename } from 'node:path'
import { createCatalog, readPriceData, type Catalog } from '../src/catalog/index.js'
import type { ReportedUsage } from '../src/protocol/index.js'
import { noUsage, totalInputTokens, totalOutputTokens } from '../src/quantities/index.js'
import { dataRoot, findPriceData, loadPriceCases, readText } from './data/prices.js'
import { entriesOf, price, read, samePrice, wrongTokens, type Entry } from './prices/reading.js'
import { reasons } from './prices/reasons.js'
import { benchOptions } from './options.js'
import { commandLine, dataSource, packageVersion, table, writeReport } from './report.js'

const { values: options } = benchOptions(
  'bench:prices',
  'Real usage objects against their expected price. Ends with 1 on a disagreement that has no proved reason.',
  {
    test: { type: 'string', takes: 'dir', about: 'folder that holds the data sets (default: $BURSAR_DATA)' },
    train: { type: 'string', takes: 'dir', about: 'not used: nothing is fitted here' },
    'price-data': { type: 'string', takes: 'file', about: 'a table of genai-prices (default: the one that is installed)' },
    at: { type: 'string', takes: 'date', about: 'when the calls are taken to have been made' },
    json: { type: 'string', takes: 'file', about: 'also write the report as JSON' },
  },
)

/** How an entry fared with one price table. */
type Verdict = 'agrees' | 'other data' | 'explained' | 'unexplained'

interface Disagreement {
  readonly case: number
  readonly entry: string
  readonly data: string
  readonly reason: string
}

interface Result {
  readonly entry: Entry
  readonly verdicts: readonly Verdict[]
}

function agrees(catalog: Catalog, entry: Entry, reported: ReportedUsage | undefined, at: number): boolean {
  return wrongTokens(entry, reported?.usage ?? noUsage).length === 0 && samePrice(price(catalog, entry, reported, at), entry.price)
}

function reasonFor(catalog: Catalog, entry: Entry, reported: ReportedUsage | undefined, at: number): string | undefined {
  return reported && reasons.find((reason) => reason.holds(entry, reported, { catalog, at }))?.name
}

/** What one gets without looking into the details of a usage: all input at the input rate, all output at the output rate. */
function naiveAgrees(catalog: Catalog, entry: Entry, reported: ReportedUsage | undefined, at: number): boolean {
  if (!reported) return false
  const usage = { ...noUsage, inputTokens: totalInputTokens(reported.usage), outputTokens: totalOutputTokens(reported.usage) }
  return samePrice(price(catalog, entry, { usage }, at), entry.price)
}

/** The middle of the month that the table's name tells, since prices change with time; else now. */
function timeOf(file: string | undefined): number {
  const month = /(20\d\d)[_-](\d\d)/.exec(file === undefined ? '' : basename(file))
  const date = options.at ?? (month ? `${month[1]}-${month[2]}-15T12:00:00Z` : new Date().toISOString())
  const seconds = Date.parse(date) / 1000
  if (Number.isNaN(seconds)) throw new Error(`--at: not a date: ${date}`)
  return seconds
}

function main(): void {
  const started = performance.now()
  const root = options.test ?? dataRoot()
  const files = loadPriceCases(root)
  const tableFile = options['price-data'] ?? findPriceData(root) ?? findPriceData(dataRoot())
  const at = timeOf(tableFile)
  const installed = createCatalog()
  const catalogs: readonly Catalog[] =
    tableFile === undefined
      ? [installed]
      : [createCatalog({ data: readPriceData(JSON.parse(readText(tableFile)), basename(tableFile)) }), installed]

  const disagreements: Disagreement[] = []
  const results: Result[] = []
  let naive = 0
  for (const row of files.flatMap((file) => file.rows)) {
    for (const entry of entriesOf(row)) {
      const reported = read(entry)
      const same = catalogs.map((catalog) => agrees(catalog, entry, reported, at))
      const verdicts = catalogs.map((catalog, index): Verdict => {
        if (same[index]) return 'agrees'
        const reason = reasonFor(catalog, entry, reported, at)
        // The computation is right where it agrees with the other table: then it is the prices that changed.
        const verdict: Verdict = reason !== undefined ? 'explained' : same.includes(true) ? 'other data' : 'unexplained'
        disagreements.push({
          case: row.id,
          entry: `${entry.provider}/${entry.flavour}`,
          data: catalog.source,
          reason: reason ?? (verdict === 'other data' ? 'other prices in this table' : 'UNEXPLAINED'),
        })
        return verdict
      })
      // A model that one table doesn't know is unexplained there only if no other table explains it.
      results.push({
        entry,
        verdicts: verdicts.map((one) => (one === 'unexplained' && verdicts.includes('explained') ? 'other data' : one)),
      })
      if (entry.price && catalogs[0] && naiveAgrees(catalogs[0], entry, reported, at)) naive++
    }
  }

  const cases = files.reduce((sum, file) => sum + file.rows.length, 0)
  const count = (some: readonly Result[], test: (result: Result) => boolean) => some.filter(test).length
  const priced = count(results, (result) => result.entry.price !== undefined)
  console.log(
    `${cases} cases, ${results.length} entries, ${priced} of them with a price; calls dated ${new Date(at * 1000).toISOString()}\n`,
  )

  const summary = catalogs.map((catalog, index) => ({
    prices: catalog.source,
    agree: count(results, ({ verdicts }) => verdicts[index] === 'agrees'),
    agreePriced: count(results, ({ entry, verdicts }) => entry.price !== undefined && verdicts[index] === 'agrees'),
    otherData: count(results, ({ verdicts }) => verdicts[index] === 'other data'),
    explained: count(results, ({ verdicts }) => verdicts[index] === 'explained'),
    unexplained: count(results, ({ verdicts }) => verdicts[index] === 'unexplained'),
  }))
  const number = (title: string) => ({ title, align: 'right' }) as const
  console.log(
    table(
      [
        'price table',
        number('agree'),
        number('of the priced'),
        number('table has other prices'),
        number('case is wrong'),
        number('unexplained'),
      ],
      summary.map((one) => [one.prices, one.agree, `${one.agreePriced} of ${priced}`, one.otherData, one.explained, one.unexplained]),
    ),
  )
  console.log(
    `\nWithout the details (all input and output at one rate each) ${naive} of ${priced} priced entries agree with the first table.\n`,
  )

  const groups = new Map<string, Result[]>()
  for (const result of results) {
    const name = `${result.entry.provider}\t${result.entry.flavour}`
    const group = groups.get(name)
    if (group) group.push(result)
    else groups.set(name, [result])
  }
  const rows = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, some]) => {
      const [provider = '', flavour = ''] = name.split('\t')
      const either = (verdict: Verdict) => count(some, ({ verdicts }) => verdicts.includes(verdict))
      const unexplained = count(some, ({ verdicts }) => verdicts.includes('unexplained'))
      return {
        provider,
        flavour,
        entries: some.length,
        priced: count(some, ({ entry }) => entry.price !== undefined),
        agree: either('agrees'),
        differ: some.length - either('agrees') - unexplained,
        unexplained,
      }
    })
  console.log(
    table(
      ['provider', 'flavour', number('entries'), number('priced'), number('agree'), number('case is wrong'), number('unexplained')],
      rows.map((row) => [row.provider, row.flavour, row.entries, row.priced, row.agree, row.differ, row.unexplained]),
    ),
  )

  console.log('\nCases that are wrong, with the proof that the run checked (cases not seen before are marked *):\n')
  for (const reason of reasons) {
    const found = disagreements.filter((one) => one.reason === reason.name)
    if (found.length === 0) continue
    const ids = [...new Set(found.map((one) => one.case))].sort((a, b) => a - b)
    const entries = [...new Set(found.map((one) => one.entry))].sort()
    console.log(`- ${reason.name}: ${reason.text}`)
    console.log(`  cases ${ids.map((id) => (reason.known.includes(id) ? `${id}` : `${id}*`)).join(', ')}`)
    console.log(`  as ${entries.length > 8 ? `${entries.slice(0, 8).join(', ')} and ${entries.length - 8} more` : entries.join(', ')}`)
  }
  const unexplained = results.filter(({ verdicts }) => verdicts.includes('unexplained'))
  for (const { entry } of unexplained)
    console.log(
      `\nUNEXPLAINED: case ${entry.row.id} as ${entry.provider}/${entry.flavour}, model ${entry.row.model ?? '(none)'}: expected ${entry.price ? JSON.stringify(entry.price, bigints) : 'no price'}; ours ${catalogs
        .map((catalog) => `${JSON.stringify(price(catalog, entry, read(entry), at), bigints)} with ${catalog.source}`)
        .join('; ')}; counts that differ: ${wrongTokens(entry, read(entry)?.usage ?? noUsage).join(', ') || 'none'}`,
    )

  if (options.json !== undefined)
    writeReport(options.json, {
      command: commandLine('bench:prices'),
      seed: null,
      data: [
        ...files.map((file) => dataSource('prices', file.file, file.rows.length)),
        ...(tableFile === undefined ? [] : [dataSource('prices', tableFile, 1)]),
      ],
      settings: { at: new Date(at * 1000).toISOString(), tables: catalogs.map((catalog) => catalog.source), train: options.train ?? null },
      baselines: { withoutDetails: { agree: naive, of: priced } },
      results: {
        cases,
        entries: results.length,
        priced,
        tables: summary,
        byProvider: rows,
        disagreements,
        reasons: reasons.map(({ name, text }) => ({ name, text })),
      },
      seconds: (performance.now() - started) / 1000,
      version: packageVersion(),
    })
  console.log(
    unexplained.length === 0 ? '\nEvery disagreement is explained.' : `\n${unexplained.length} entries disagree without a reason.`,
  )
  if (unexplained.length > 0) process.exitCode = 1
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

try {
  main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
