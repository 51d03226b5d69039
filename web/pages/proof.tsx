import { useRef, useState } from 'preact/hooks'
import type { ProofStatus } from '../answers.js'
import { Refusal } from '../client.js'
import { count, moment, percent, points, UNKNOWN } from '../format.js'
import { Interval, reachOf } from '../parts/interval.js'
import { Empty, Figure, Mark, Page } from '../parts/page.js'
import { Table } from '../parts/table.js'
import { useReading } from '../reading.js'
import type { PageParts } from '../app.js'

const kinds: Readonly<Record<string, string>> = {
  judge: 'the judge’s grades',
  pair: 'the judge’s comparisons',
  check: 'checks of answers',
  feedback: 'feedback',
}

/** What is known of the quality of routed traffic, and what went back to the reference. */
export function Proof({ client }: PageParts) {
  const reading = useReading('proof', (signal) => client.proof({}, signal))
  return (
    <Page title="Proof" lead="Quality of routed answers less the reference’s. The intervals hold at every look." reading={reading}>
      {(status) => {
        const rows = status.scopes.flatMap(({ scope, evidence }) => evidence.map((one) => ({ scope, ...one })))
        const reach = reachOf(
          rows.map(({ difference }) => difference),
          1,
        )
        return (
          <>
            <dl class="figures">
              <Figure strong label="State" value={<State status={status} />} />
              <Figure label="Held out" value={percent(status.holdout)} note="of routed requests, to the reference" />
              <Figure label="Margin" value={`${(status.margin * 100).toFixed(1)} points`} note="of a hundred that quality may lose" />
              <Figure
                label="Guardrail"
                value={status.guardrail}
                note={status.guardrail === 'on' ? 'goes back once proven worse' : 'nothing goes back by itself'}
              />
            </dl>
            {status.scopes.map(({ scope, rolled_back: back }) =>
              back === null ? null : (
                <div key={scope} class="notice bad">
                  <p>
                    <strong>Rolled back: {scope}</strong>, since {moment(back.at)}: {back.why}. Its traffic goes to the reference.
                  </p>
                  <Resume scope={scope} resume={client.resume} done={reading.again} />
                </div>
              ),
            )}
            {status.holdout === 0 ? (
              <Empty>
                <p>
                  Nothing is held out (<code>proof.holdout</code> is 0), so nothing can be proven.
                </p>
              </Empty>
            ) : rows.length === 0 ? (
              <Empty>
                <p>No evidence yet.</p>
                <p>
                  It comes from feedback (<code>POST /v1/feedback</code>), checks of answers, and the judge (<code>proof.judge</code>).
                </p>
              </Empty>
            ) : (
              <Table
                caption="Evidence by scope, in points of a hundred"
                rows={rows}
                idOf={({ scope, evidence }) => `${scope} ${evidence}`}
                columns={[
                  { title: 'Scope', cell: ({ scope }) => scope },
                  { title: 'By', cell: ({ evidence }) => kinds[evidence] ?? evidence },
                  { title: 'Trials', number: true, cell: ({ trials }) => count(trials) },
                  { title: 'Held out', number: true, cell: ({ held_out: held }) => (held === null ? UNKNOWN : count(held)) },
                  { title: 'Points', number: true, cell: ({ difference }) => points(difference.value) },
                  {
                    title: 'Between',
                    cell: ({ difference: { low, high } }) =>
                      low === null || high === null ? 'too few yet' : `${points(low)} to ${points(high)}`,
                  },
                  { title: '', cell: ({ difference }) => <Interval band={difference} reach={reach} margin={-status.margin} /> },
                  {
                    title: 'Verdict',
                    cell: ({ verdict }) => (
                      <Mark tone={verdict === 'proven' ? 'good' : verdict === 'worse' ? 'bad' : 'warn'}>{verdict}</Mark>
                    ),
                  },
                ]}
              />
            )}
          </>
        )
      }}
    </Page>
  )
}

function State({ status }: { readonly status: ProofStatus }) {
  const back = status.scopes.filter(({ rolled_back: rolled }) => rolled !== null).length
  return back === 0 ? <Mark tone="good">routing</Mark> : <Mark tone="bad">{count(back)} rolled back</Mark>
}

/** Routes a scope again, once that is confirmed. */
function Resume({ scope, resume, done }: { readonly scope: string; resume(scope: string): Promise<ProofStatus>; done(): void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [busy, setBusy] = useState(false)
  const [failure, setFailure] = useState<string | undefined>(undefined)
  const act = async (): Promise<void> => {
    setBusy(true)
    try {
      await resume(scope)
      dialog.current?.close()
      done()
    } catch (thrown) {
      setFailure(thrown instanceof Refusal ? thrown.message : String(thrown))
    }
    setBusy(false)
  }
  return (
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        Resume …
      </button>
      <dialog ref={dialog} aria-labelledby={`resume-${scope}`}>
        <h2 id={`resume-${scope}`}>Route {scope} again?</h2>
        <p>
          Requests get what the policy chooses again, at once. Evidence begins anew, so it takes a while until worse quality is noticed.
        </p>
        {failure !== undefined && (
          <p class="notice bad" role="alert">
            {failure}
          </p>
        )}
        <p class="pager">
          <button type="button" onClick={() => dialog.current?.close()}>
            Leave it
          </button>
          <button type="button" class="primary" disabled={busy} onClick={() => void act()}>
            Resume routing
          </button>
        </p>
      </dialog>
    </>
  )
}
