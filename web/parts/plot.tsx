import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { UNKNOWN } from '../format.js'
import { Table } from './table.js'

export interface Line {
  readonly name: string
  readonly values: readonly (number | null)[]
  /** Bounds of an interval are thin. */
  readonly bound?: boolean
}

interface PlotProps {
  readonly title: string
  /** What the numbers are, such as `dollars an hour`. */
  readonly unit: string
  /** Unix seconds. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  /** As the axis and the table write a value. */
  text(value: number): string
  /** How a time is written. */
  timeText(at: number): string
  /** Whether values may be below zero. */
  readonly signed?: boolean
}

/** Dashes of lines, in order: with them lines differ without colour. */
const dashes: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [1, 5]]
const height = 190

/** A plot over time, in UTC, with its figures as a table. */
export function Plot({ title, unit, times, lines, text, timeText, signed = false }: PlotProps) {
  const holder = useRef<HTMLDivElement>(null)
  const readout = useRef<HTMLParagraphElement>(null)
  const drawn = useRef<uPlot | undefined>(undefined)
  const said = useRef({ text, timeText, lines })
  said.current = { text, timeText, lines }
  const shape = `${lines.map(({ name }) => name).join('\n')} ${signed}`

  useEffect(() => {
    const { current: place } = holder
    if (!place) return
    const draw = (): void => {
      drawn.current?.destroy()
      const colour = coloursOf(place)
      const { lines: shown } = said.current
      const axis = {
        stroke: colour('--muted'),
        grid: { stroke: colour('--rule'), width: 1 },
        ticks: { stroke: colour('--rule'), width: 1, size: 4 },
        font: `11px ${getComputedStyle(place).fontFamily}`,
      }
      drawn.current = new uPlot(
        {
          width: Math.max(200, place.clientWidth),
          height,
          padding: [8, 8, 0, 0],
          legend: { show: false },
          cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
          tzDate: (at) => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
          scales: { y: { range: (_plot, low, high) => rangeOf(low, high, signed) } },
          axes: [
            { ...axis, space: 64, size: 32, values: timeTicks },
            { ...axis, size: 62, values: (_plot, values) => values.map((value) => said.current.text(value)) },
          ],
          series: [
            {},
            ...shown.map(({ bound }, index) => ({
              stroke: colour(`--line-${(index % 6) + 1}`),
              width: bound === true ? 1 : 1.75,
              dash: [...dashOf(index)],
              points: { show: true, size: 5, filter: (plot: uPlot, own: number) => alone(plot.data[own] ?? []) },
              spanGaps: false,
            })),
          ],
          hooks: {
            setCursor: [
              (plot) => {
                const { idx } = plot.cursor
                if (readout.current) readout.current.textContent = idx === null || idx === undefined ? '' : sayAt(plot, idx)
              },
            ],
          },
        },
        dataOf(times, shown),
        place,
      )
    }
    const sayAt = (plot: uPlot, index: number): string => {
      const at = plot.data[0][index]
      const { lines: shown, text: say, timeText: when } = said.current
      return at === undefined
        ? ''
        : `${when(at)}: ${shown.map(({ name, values }) => `${shown.length > 1 ? `${name} ` : ''}${valueText(values[index], say)}`).join(' · ')}`
    }
    draw()
    const sized = new ResizeObserver(() => drawn.current?.setSize({ width: Math.max(200, place.clientWidth), height }))
    sized.observe(place)
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', draw)
    return () => {
      sized.disconnect()
      dark.removeEventListener('change', draw)
      drawn.current?.destroy()
      drawn.current = undefined
    }
    // New figures are put into the plot that is there; another set of lines makes a new one.
  }, [shape])

  useEffect(() => drawn.current?.setData(dataOf(times, lines)), [times, lines])

  return (
    <figure class="plot">
      <figcaption>
        <span class="plot-title">{title}</span> <span class="plot-unit">{unit}</span>
      </figcaption>
      {lines.length > 1 && (
        <ul class="legend" aria-hidden="true">
          {lines.map(({ name }, index) => (
            <li key={name}>
              <svg width="26" height="8">
                <line
                  x1="1"
                  y1="4"
                  x2="25"
                  y2="4"
                  class={`line-${(index % 6) + 1}`}
                  stroke-width="2"
                  stroke-dasharray={dashOf(index).join(' ')}
                />
              </svg>
              {name}
            </li>
          ))}
        </ul>
      )}
      <div ref={holder} class="plot-area" aria-hidden="true" />
      <p ref={readout} class="readout" aria-hidden="true" />
      <details>
        <summary>
          Figures<span class="unseen"> of {title} as a table</span>
        </summary>
        <Table
          caption={`${title}, ${unit}`}
          quiet
          columns={[
            { title: 'Time (UTC)', cell: (index: number) => timeText(times[index] ?? 0) },
            ...lines.map(({ name, values }) => ({ title: name, number: true, cell: (index: number) => valueText(values[index], text) })),
          ]}
          rows={times.map((_, index) => times.length - 1 - index)}
          idOf={String}
        />
      </details>
    </figure>
  )
}

function valueText(value: number | null | undefined, say: (value: number) => string): string {
  return value === null || value === undefined ? UNKNOWN : say(value)
}

function dashOf(index: number): readonly number[] {
  return dashes[index % dashes.length] ?? []
}

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])]
}

/** From zero, unless values may be below it; a plot of nothing but zeros has a height too. */
function rangeOf(low: number | null, high: number | null, signed: boolean): [number, number] {
  const [least, most] = [signed ? Math.min(0, low ?? 0) : 0, Math.max(0, high ?? 0)]
  if (least === most) return [0, 1]
  const room = (most - least) * 0.08
  return [least < 0 ? least - room : 0, most + room]
}

/** Values between two that aren't known: no line leads to them. */
function alone(values: ArrayLike<number | null | undefined>): number[] {
  return Array.from(values, (value, index) =>
    value != null && values[index - 1] == null && values[index + 1] == null ? index : -1,
  ).filter((index) => index >= 0)
}

/** Hours as 14:00, midnights as 21 Nov. */
function timeTicks(_plot: uPlot, values: number[]): string[] {
  return values.map((at) => {
    const date = new Date(at * 1000)
    const hours = date.toISOString().slice(11, 16)
    return hours === '00:00' ? `${date.getUTCDate()} ${months[date.getUTCMonth()] ?? ''}` : hours
  })
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** A canvas knows no variables of CSS. */
function coloursOf(place: Element): (name: string) => string {
  const style = getComputedStyle(place)
  return (name) => style.getPropertyValue(name).trim()
}
