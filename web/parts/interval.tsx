import type { Band } from '../answers.js'

interface IntervalProps {
  readonly band: Band
  /** What the scale reaches to, on both sides of 0. */
  readonly reach: number
  /** A line beside that of 0. */
  readonly margin?: number
}

const width = 120
const middle = 9

/** An interval as a bar with its estimate, beside the numbers that say the same. */
export function Interval({ band, reach, margin }: IntervalProps) {
  const { value, low, high } = band
  if (value === null || low === null || high === null || !(reach > 0)) return null
  const place = (at: number) => ((Math.max(-reach, Math.min(reach, at)) + reach) / (2 * reach)) * (width - 4) + 2
  return (
    <svg class="interval" width={width} height={middle * 2} aria-hidden="true">
      <line class="zero" x1={place(0)} x2={place(0)} y1="0" y2={middle * 2} />
      {margin !== undefined && <line class="margin" x1={place(margin)} x2={place(margin)} y1="0" y2={middle * 2} stroke-dasharray="2 2" />}
      <line class="range" x1={place(low)} x2={place(high)} y1={middle} y2={middle} />
      <circle class="estimate" cx={place(value)} cy={middle} r="3.5" />
    </svg>
  )
}

/** How far a scale must reach for these intervals, at most `most`. */
export function reachOf(bands: readonly Band[], most: number): number {
  const ends = bands.flatMap(({ value, low, high }) => [value, low, high]).flatMap((end) => (end === null ? [] : [Math.abs(end)]))
  return Math.min(most, Math.max(0, ...ends) * 1.05)
}
