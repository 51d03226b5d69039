import { forecastRun, type PastRun, type RunQuantiles, type RunStep, type RunTask, type TokenPrices } from '../../evaluation/index.js'
import { columns, dollars, short, type PredictionReport } from './prediction-report.js'

/** What an agent's run will take. */
export function agentRunReport(
  past: readonly PastRun[],
  task: RunTask,
  prices: TokenPrices,
  done: readonly RunStep[],
  level: number,
): PredictionReport {
  const forecast = forecastRun(past, task, prices, done, { level })
  const row = (name: string, { median, p90, low, high }: RunQuantiles, shown: (value: number) => string) => [
    name,
    shown(median),
    shown(p90),
    Number.isFinite(high) ? `${shown(low)} to ${shown(high)}` : 'unknown',
  ]
  const { usd, inputTokens, outputTokens, steps } = forecast
  return {
    figures: { level, callsDone: done.length, ...forecast },
    document: {
      title: 'What the run will take',
      subtitle: `${forecast.runs} past runs, about ${short(forecast.alike)} alike${done.length > 0 ? `; ${done.length} calls done` : ''}`,
      sections: [
        {
          heading: 'Forecast',
          blocks: [
            {
              kind: 'text',
              text: `About ${dollars(usd.median)}; one run in ten takes more than ${dollars(usd.p90)}.${Number.isFinite(usd.high) ? ` In ${Math.round(100 * level)} of 100 such runs it stays between ${dollars(usd.low)} and ${dollars(usd.high)}.` : ' There are too few past runs for an interval.'}`,
            },
            {
              kind: 'table',
              columns: columns('of the whole run', ['median'], ['P90'], [`${Math.round(100 * level)} % interval`]),
              rows: [
                row('calls', steps, short),
                row('input tokens', inputTokens, short),
                row('output tokens', outputTokens, short),
                row('dollars', usd, dollars),
              ],
            },
            {
              kind: 'text',
              text: `The context grows by about ${short(forecast.growth)} tokens a call, and each call reads all of it again. ${forecast.seen ? 'This very task was run before.' : 'This task was never run before: the interval is one for unseen tasks.'}`,
            },
          ],
        },
      ],
    },
  }
}
