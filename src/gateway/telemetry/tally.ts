import { Counter, Histogram, type Registry } from 'prom-client'

/**
 * Counters and histograms whose series are plain objects that the hot path adds to directly. prom-client hashes and checks
 * the labels on every observation; here that happens once a series, and numbers are handed over only when they are scraped.
 */
export interface CounterSeries {
  value: number
}

/** Adds up exact money; becomes dollars only when it is scraped. */
export interface MoneySeries {
  picodollars: bigint
}

export interface HistogramSeries {
  /** Notes a value; anything that isn't a finite number is left out. */
  observe(value: number): void
}

interface Description<L extends string> {
  readonly name: string
  readonly help: string
  readonly labels: readonly L[]
}

type LabelRecord<L extends string> = Readonly<Record<L, string>>

/** Registers a counter; returns a function that opens one of its series. Open each once and keep it. */
export function tallyCounter<L extends string>(registry: Registry, description: Description<L>): (labels: LabelRecord<L>) => CounterSeries {
  return tally(
    registry,
    description,
    () => ({ value: 0 }),
    ({ value }: CounterSeries) => value,
  )
}

/** As `tallyCounter`, for dollars. */
export function tallyMoney<L extends string>(registry: Registry, description: Description<L>): (labels: LabelRecord<L>) => MoneySeries {
  return tally(
    registry,
    description,
    () => ({ picodollars: 0n }),
    ({ picodollars }: MoneySeries) => Number(picodollars) / 1e12,
  )
}

/** A counter of series that begin as `begin` makes them and are read when they are scraped. */
function tally<L extends string, Series>(
  registry: Registry,
  { name, help, labels: labelNames }: Description<L>,
  begin: () => Series,
  valueOf: (series: Series) => number,
): (labels: LabelRecord<L>) => Series {
  const all: { labels: LabelRecord<L>; series: Series }[] = []
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      for (const { labels, series } of all) this.inc(labels, valueOf(series))
    },
  })
  return (labels) => {
    const series = begin()
    all.push({ labels, series })
    return series
  }
}

/** Registers a histogram with the given upper bounds (ascending); returns a function that opens one of its series. */
export function tallyHistogram<L extends string>(
  registry: Registry,
  description: Description<L> & { readonly buckets: readonly number[] },
): (labels: LabelRecord<L>) => HistogramSeries {
  const histogram = new TallyHistogram(description)
  registry.registerMetric(histogram)
  return (labels) => histogram.open(labels)
}

class Buckets implements HistogramSeries {
  readonly counts: number[]
  count = 0
  sum = 0

  constructor(private readonly bounds: readonly number[]) {
    this.counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    if (!Number.isFinite(value)) return
    this.count++
    this.sum += value
    const { bounds, counts } = this
    let at = 0
    while (at < bounds.length && value > (bounds[at] ?? Infinity)) at++
    if (at < counts.length) counts[at] = (counts[at] ?? 0) + 1
  }
}

class TallyHistogram<L extends string> extends Histogram<L> {
  private readonly all: { readonly labels: LabelRecord<L>; readonly series: Buckets }[] = []

  constructor(private readonly description: Description<L> & { readonly buckets: readonly number[] }) {
    super({
      name: description.name,
      help: description.help,
      labelNames: [...description.labels],
      buckets: [...description.buckets],
      registers: [],
    })
  }

  open(labels: LabelRecord<L>): HistogramSeries {
    const series = new Buckets(this.description.buckets)
    this.all.push({ labels, series })
    return series
  }

  /**
   * What prom-client's registry asks a histogram for when it writes text (its published types leave the method out, and
   * `get` is built on it). The labels that all lines of a series share are given once.
   */
  getForPromString(): Promise<{ name: string; help: string; type: 'histogram'; aggregator: 'sum'; values: Line[] }> {
    const { name, help, buckets } = this.description
    const values: Line[] = []
    for (const { labels, series } of this.all) {
      const line = (suffix: string, own: Line['labels'], value: number) =>
        values.push({ metricName: `${name}_${suffix}`, labels: own, sharedLabels: labels, value })
      let below = 0
      buckets.forEach((bound, index) => {
        below += series.counts[index] ?? 0
        line('bucket', { le: bound }, below)
      })
      line('bucket', { le: '+Inf' }, series.count)
      line('sum', {}, series.sum)
      line('count', {}, series.count)
    }
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values })
  }
}

/** One line of a histogram's text. */
interface Line {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string | number>>
  readonly sharedLabels: Readonly<Record<string, string>>
  readonly value: number
}
