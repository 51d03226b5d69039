import { zeroMoney, type Money } from '../../quantities/index.js'
import { anomalyWords, judgeDay, type Anomaly, type AnomalySettings, type DaySpend } from './anomalies.js'
import type { Report, ReportRow } from './contract.js'

/** A report's groups with their share of all known dollars, 0 to 1. */
export function shares({ rows, total }: Report): readonly { readonly row: ReportRow; readonly share: number }[] {
  const all = Number(total.cost.usd ?? zeroMoney)
  return rows.map((row) => ({ row, share: all === 0 ? 0 : Number(row.totals.cost.usd ?? zeroMoney) / all }))
}

export interface FoundAnomaly extends Anomaly {
  readonly who: Readonly<Record<string, string>>
  readonly words: string
}

export interface FoundAnomalies {
  /** The most dollars above what is usual first. */
  readonly anomalies: readonly FoundAnomaly[]
  /** Groups that were judged, and days of them. */
  readonly groups: number
  readonly days: number
  /** Groups with spending in the period but too short a history to say what is usual. */
  readonly tooYoung: number
}

/**
 * Days out of line with each group's own history. The report is by `day` and what makes a group (`key`), over the period and the 56 days
 * before it. O(groups × days of the period × days of history); other work gets its turn every few milliseconds.
 */
export async function findAnomalies(
  { rows }: Pick<Report, 'rows'>,
  period: { readonly from: number; readonly to: number },
  settings: AnomalySettings = {},
): Promise<FoundAnomalies> {
  const groups = new Map<string, { readonly who: Readonly<Record<string, string>>; readonly days: DaySpend[] }>()
  for (const { group, totals } of rows) {
    const { day, ...who } = group
    const name = JSON.stringify(who)
    const known = groups.get(name) ?? { who, days: [] }
    known.days.push({ at: Date.parse(`${day}T00:00:00Z`) / 1000, usd: totals.cost.usd ?? zeroMoney })
    groups.set(name, known)
  }
  const anomalies: FoundAnomaly[] = []
  let [judgedGroups, judgedDays, tooYoung] = [0, 0, 0]
  let turn = performance.now()
  for (const { who, days } of groups.values()) {
    if (performance.now() - turn > 5) {
      await new Promise((resolve) => setImmediate(resolve))
      turn = performance.now()
    }
    const judged = days.filter(({ at, usd }) => at >= period.from && at < period.to && usd > 0n).map((day) => judgeDay(days, day, settings))
    const old = judged.filter((verdict) => verdict !== 'too_young')
    judgedDays += old.length
    if (old.length > 0) judgedGroups += 1
    else if (judged.length > 0) tooYoung += 1
    for (const verdict of old) if (verdict !== undefined) anomalies.push({ ...verdict, who, words: anomalyWords(nameOf(who), verdict) })
  }
  const excess = ({ usd, usual }: Anomaly): Money => (usd - usual.high) as Money
  anomalies.sort((a, b) => Number(excess(b) - excess(a)))
  return { anomalies, groups: judgedGroups, days: judgedDays, tooYoung }
}

function nameOf(who: Readonly<Record<string, string>>): string {
  const parts = Object.entries(who).map(([dimension, value]) => `${dimension} ${value === '' ? '(none)' : value}`)
  return parts.length === 0 ? 'everybody' : parts.join(', ')
}
