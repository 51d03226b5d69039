import type { Band, Savings as Answer, SavingsScope } from '../answers.js'
import { count, dollars, moment, percent, points, seconds, UNKNOWN } from '../format.js'
import { Interval, reachOf } from '../parts/interval.js'
import { Choice, Empty, Figure, Mark, Page } from '../parts/page.js'
import { Plot } from '../parts/plot.js'
import { Table, type Column } from '../parts/table.js'
import { useReading } from '../reading.js'
import { useState } from 'preact/hooks'
import type { PageParts } from '../app.js'

const sources: Readonly<Record<string, string>> = {
  judge: 'a sampled judge',
  pair: 'a judge who saw both answers',
  check: 'checks of answers',
  feedback: 'users’ own feedback',
}

/** What routing saved, and whether quality held. */
export function Savings({ client }: PageParts) {
  const [from, setFrom] = useState<'7d' | '30d' | '90d'>('30d')
  const reading = useReading(from, (signal) => client.savings({ from }, signal), 30)
  return (
    <Page
      title="Savings"
      lead="Routed traffic against a random share that the reference answered. Intervals (95 %) hold however often you look."
      reading={reading}
      controls={
        <Choice
          label="Time"
          values={[
            ['7d', '7 days'],
            ['30d', '30 days'],
            ['90d', '90 days'],
          ]}
          value={from}
          choose={(value) => setFrom(value)}
        />
      }
    >
      {(savings) => (savings.all.requests + savings.all.held_out === 0 ? <NothingYet /> : <Shown savings={savings} />)}
    </Page>
  )
}

function NothingYet() {
  return (
    <Empty>
      <p>No routed requests in this time, so there is nothing to compare.</p>
      <p>
        Send requests with <code>"model": "auto"</code>; 5 % of them are held out to the reference, unless <code>proof.holdout</code> says
        otherwise.
      </p>
    </Empty>
  )
}

function Shown({ savings }: { readonly savings: Answer }) {
  const { all, margin, timeline, scopes, learning, saved_in_the_end_usd: inTheEnd } = savings
  const reach = reachOf(
    [...all.quality, ...scopes.flatMap(({ data }) => data.flatMap(({ quality }) => quality))].map(({ difference }) => difference),
    1,
  )
  const usd = 'saved' in all.usd ? all.usd : undefined
  const days = timeline.filter(({ saved_usd: saved }) => saved !== null)
  return (
    <>
      <dl class="figures">
        <Figure
          strong
          label="Saved"
          {...(usd === undefined ? { value: 'unknown', note: unknownWords(all) } : claimed(usd.saved, dollars))}
        />
        <Figure
          label="Share of the reference’s cost"
          {...(usd?.share ? claimed(usd.share, percent) : { value: UNKNOWN, note: 'too few requests yet' })}
        />
        <Figure label="Quality against the reference" value={<Verdict scope={all} margin={margin} />} note={verdictNote(all)} />
        <Figure label="Spent on routed requests" value={dollars(all.spent_usd)} note={`${count(all.requests)} requests, exact`} />
        <Figure
          label="Held out"
          value={count(all.held_out)}
          note={
            usd && known(usd.not_saved_held_out)
              ? `not saved on them: ${dollars(usd.not_saved_held_out.value)}`
              : 'requests that the reference answered'
          }
        />
        {learning !== null && (
          <Figure
            label="Judges and shadow calls"
            value={dollars(learning.usd)}
            note={inTheEnd && known(inTheEnd) ? `saved in the end: ${dollars(inTheEnd.value)}, ${between(inTheEnd, dollars)}` : 'exact'}
          />
        )}
      </dl>
      {all.requests + all.held_out > 0 && usd?.saved.low === null && (
        <p class="notice">
          Until 50 conversations of either group are known, nothing is claimed: {count(all.held_out)} held out and {count(all.requests)}{' '}
          routed so far.
        </p>
      )}
      <section>
        <h2>Quality, by whose word</h2>
        {all.quality.length === 0 ? (
          <Empty>
            <p>Nobody has judged an answer yet.</p>
            <p>
              It comes from <code>POST /v1/feedback</code>, checks of answers, or a sampled judge (<code>proof.judge</code>).
            </p>
          </Empty>
        ) : (
          <Table
            caption="Quality of routed answers less the reference’s, in points of a hundred"
            rows={all.quality}
            idOf={({ kind }) => kind}
            columns={[
              { title: 'By', cell: ({ kind }) => sources[kind] ?? kind },
              { title: 'Points', number: true, cell: ({ difference }) => points(difference.value) },
              { title: 'Between', cell: ({ difference }) => between(difference, points) },
              { title: '', cell: ({ difference }) => <Interval band={difference} reach={reach} margin={-margin} /> },
              { title: 'Words, routed', number: true, cell: ({ words }) => count(words.policy) },
              { title: 'Words, held out', number: true, cell: ({ words }) => count(words.held_out) },
            ]}
          />
        )}
      </section>
      {scopes.map(({ dimension, data, left }) =>
        data.length === 0 ? null : (
          <section key={dimension}>
            <h2>By {dimension}</h2>
            <Table
              caption={`Savings by ${dimension}`}
              quiet
              rows={data}
              idOf={({ name }) => name}
              columns={scopeColumns(dimension, margin)}
            />
            {left > 0 && <p class="small muted">{count(left)} further ones have too little to be told apart.</p>}
          </section>
        ),
      )}
      {days.length > 1 && (
        <div class="plots">
          <Plot
            title="Saved so far"
            unit={
              days.some(({ saved_usd: saved }) => saved && known(saved))
                ? 'dollars, with the bounds of the interval'
                : 'dollars; too few for an interval'
            }
            times={days.map(({ at }) => Date.parse(at) / 1000)}
            lines={[
              { name: 'estimate', values: days.map((day) => day.saved_usd?.value ?? null) },
              { name: 'at least', values: days.map((day) => day.saved_usd?.low ?? null), bound: true },
              { name: 'at most', values: days.map((day) => day.saved_usd?.high ?? null), bound: true },
            ].filter(({ values }) => values.some((value) => value !== null))}
            text={dollars}
            timeText={(at) => moment(at)}
            signed
          />
        </div>
      )}
    </>
  )
}

function scopeColumns(dimension: string, margin: number): readonly Column<SavingsScope & { readonly name: string }>[] {
  return [
    { title: dimension.charAt(0).toUpperCase() + dimension.slice(1), cell: ({ name }) => (name === '' ? 'none' : name) },
    { title: 'Requests', number: true, cell: ({ requests }) => count(requests) },
    { title: 'Held out', number: true, cell: (scope) => count(scope.held_out) },
    { title: 'Saved', number: true, cell: ({ usd }) => ('saved' in usd ? dollars(usd.saved.value) : 'unknown') },
    { title: 'Between', cell: ({ usd }) => ('saved' in usd ? between(usd.saved, dollars) : UNKNOWN) },
    {
      title: 'Seconds saved',
      number: true,
      cell: (scope) => ('saved' in scope.seconds ? signedSeconds(scope.seconds.saved.value) : UNKNOWN),
    },
    { title: 'Quality', cell: (scope) => <Verdict scope={scope} margin={margin} /> },
  ]
}

function Verdict({ scope, margin }: { readonly scope: SavingsScope; readonly margin: number }) {
  const { verdict } = scope
  const limit = (margin * 100).toFixed(0)
  if (verdict === 'proven') return <Mark tone="good">within {limit} points: proven</Mark>
  if (verdict === 'worse') return <Mark tone="bad">worse by more than {limit} points</Mark>
  return verdict === 'not yet' ? <Mark tone="warn">within {limit} points: not yet</Mark> : <Mark tone="plain">nobody judged</Mark>
}

function verdictNote({ verdict, evidence, more, quality }: SavingsScope): string | undefined {
  if (verdict === 'none') return undefined
  const difference = quality.find(({ kind }) => kind === evidence)?.difference
  const said =
    difference === undefined ? '' : `${points(difference.value)} points${difference.low === null ? '' : `, ${between(difference, points)}`}`
  return [said, verdict === 'not yet' && more !== null ? `needs about ${count(more)} more requests` : '']
    .filter((part) => part !== '')
    .join('; ')
}

function unknownWords({ usd }: SavingsScope): string {
  return 'arms' in usd ? `the price of ${usd.arms.slice(0, 3).join(', ')} is not known` : ''
}

/** Whether an interval has its ends. */
function known({ low, high }: Band): boolean {
  return low !== null && high !== null
}

/** An estimate with its interval; before there is one, nothing is claimed. */
function claimed(band: Band, text: (value: number | null) => string): { readonly value: string; readonly note: string } {
  return band.low === null || band.high === null
    ? { value: 'too few yet', note: `so far ${text(band.value)}, which may be chance` }
    : { value: text(band.value), note: between(band, text) }
}

function between({ low, high }: Band, text: (value: number) => string): string {
  return low === null || high === null ? 'too few yet' : `${text(low)} to ${text(high)}`
}

function signedSeconds(value: number | null): string {
  return value === null ? UNKNOWN : value < 0 ? `−${seconds(-value)}` : seconds(value)
}
