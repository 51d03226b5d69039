import type { ComponentChildren } from 'preact'
import type { Refusal } from '../client.js'
import { clockTime } from '../format.js'
import type { Reading } from '../reading.js'

interface PageProps<Answer> {
  readonly title: string
  readonly lead?: ComponentChildren
  readonly reading: Reading<Answer>
  /** Choices that hold for the whole page. */
  readonly controls?: ComponentChildren
  children(answer: Answer): ComponentChildren
}

/** A page: what it is, when its figures were read, and what is wrong, if something is. */
export function Page<Answer>({ title, lead, reading, controls, children }: PageProps<Answer>) {
  const { answer, at, failure } = reading
  return (
    <main id="main" tabIndex={-1}>
      <header class="page-head">
        <div>
          <h1>{title}</h1>
          {lead !== undefined && <p class="lead">{lead}</p>}
        </div>
        <p class="read-at">{at === undefined ? 'reading …' : `read ${clockTime(at)}`}</p>
      </header>
      {controls !== undefined && <div class="controls">{controls}</div>}
      {failure !== undefined && <Failed failure={failure} at={at} again={reading.again} />}
      {answer !== undefined ? children(answer) : failure === undefined && <Waiting />}
    </main>
  )
}

/** What went wrong, and what to do. */
export function Failed({ failure, at, again }: { readonly failure: Refusal; readonly at?: number | undefined; again(): void }) {
  const advice =
    failure.status === 0
      ? 'It is asked again every 10 seconds.'
      : failure.status === 401
        ? 'Sign out and paste a key that works.'
        : failure.status === 403
          ? undefined
          : 'It is asked again every 10 seconds; the gateway’s log may say more.'
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong>
          {failure.status === 403
            ? 'Not for this key. '
            : at === undefined
              ? 'Not read. '
              : `Not read again; the figures below are of ${clockTime(at)}. `}
        </strong>
        {failure.message} {advice}
      </p>
      {failure.status !== 403 && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  )
}

export function Waiting() {
  return (
    <p class="waiting" role="status">
      Reading from the gateway …
    </p>
  )
}

/** Where there is nothing to show: why, and what would change that. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <div class="empty">{children}</div>
}

/** One figure with its unit and what it is. */
export function Figure({
  label,
  value,
  note,
  strong = false,
}: {
  readonly label: string
  readonly value: ComponentChildren
  readonly note?: ComponentChildren
  readonly strong?: boolean
}) {
  return (
    <div class={strong ? 'figure strong' : 'figure'}>
      <dt>{label}</dt>
      <dd>
        <span class="value">{value}</span>
        {note !== undefined && <span class="note">{note}</span>}
      </dd>
    </div>
  )
}

/** A word with a sign before it, so that colour isn't all that tells. */
export function Mark({ tone, children }: { readonly tone: 'good' | 'warn' | 'bad' | 'plain'; readonly children: ComponentChildren }) {
  const sign = { good: '●', warn: '▲', bad: '■', plain: '○' }[tone]
  return (
    <span class={`mark ${tone}`}>
      <span class="sign" aria-hidden="true">
        {sign}
      </span>
      {children}
    </span>
  )
}

/** One of several, as buttons. */
export function Choice<Value extends string>({
  label,
  values,
  value,
  choose,
}: {
  readonly label: string
  readonly values: readonly (readonly [Value, string])[]
  readonly value: Value
  choose(value: Value): void
}) {
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      {values.map(([one, text]) => (
        <button key={one} type="button" aria-pressed={one === value} onClick={() => choose(one)}>
          {text}
        </button>
      ))}
    </fieldset>
  )
}
