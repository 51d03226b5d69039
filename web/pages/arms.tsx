import type { ArmShown, Outline, Routing } from '../answers.js'
import { count, digits, dollars, percent } from '../format.js'
import { Empty, Figure, Mark, Page } from '../parts/page.js'
import { Table } from '../parts/table.js'
import { useReading } from '../reading.js'
import type { PageParts } from '../app.js'

/** What may be picked, what each arm is made of, and what was learned. */
export function Arms({ client }: PageParts) {
  const reading = useReading('routing', (signal) => client.routing({}, signal))
  return (
    <Page title="Arms" lead="What may answer a request for auto: models and strategies with their settings." reading={reading}>
      {(routing) => (
        <>
          <Settings routing={routing} />
          {routing.problems.map((problem) => (
            <p key={problem} class="notice">
              {problem}
            </p>
          ))}
          {routing.arms.length === 0 ? (
            <Empty>
              <p>There are no arms.</p>
              <p>
                Add a provider, or name arms in <code>routing.arms</code>; <code>bursar check</code> says which are missing.
              </p>
            </Empty>
          ) : (
            <>
              <Known routing={routing} />
              <section>
                <h2>What they are</h2>
                <div class="cards">
                  {routing.arms.map((arm) => (
                    <Arm key={arm.id} arm={arm} />
                  ))}
                </div>
              </section>
            </>
          )}
          <Objectives routing={routing} />
        </>
      )}
    </Page>
  )
}

function Settings({ routing }: { readonly routing: Routing }) {
  const { reference, objective, policy, predictor, exploration, learning, encoder } = routing
  const learns = [learning.feedback ? 'feedback' : '', learning.verifiers ? 'checks' : '', learning.agreement ? 'agreement' : ''].filter(
    (one) => one !== '',
  )
  return (
    <dl class="figures">
      <Figure label="Reference" value={<span class="name">{reference ?? 'none'}</span>} note="the yardstick, and what answers in doubt" />
      <Figure
        label="Predictor"
        value={<span class="name">{predictor.kind}</span>}
        note={`${predictor.trained_beforehand ? 'trained beforehand' : 'not trained beforehand'}; encoder: ${encoder}`}
      />
      <Figure label="Policy" value={<span class="name">{policy.kind.replaceAll('_', ' ')}</span>} note={`objective: ${objective}`} />
      <Figure
        label="Tried out"
        value={percent(exploration.share)}
        note={`of requests, for ${dollars(exploration.usd_per_day)} a day at most`}
      />
      <Figure
        label="Learns from"
        value={<span class="name">{learns.join(', ') || 'nothing'}</span>}
        note={learning.shared ? 'all organisations together' : 'each organisation by itself'}
      />
    </dl>
  )
}

function Known({ routing }: { readonly routing: Routing }) {
  return (
    <section>
      <h2>What is known of them</h2>
      <Table
        caption="Arms, and the outcomes that were learned of each"
        quiet
        rows={routing.arms}
        idOf={({ id }) => id}
        columns={[
          {
            title: 'Arm',
            cell: ({ id, reference }) => (
              <>
                {id} {reference && <span class="tag">reference</span>}
              </>
            ),
          },
          { title: 'State', cell: ({ state }) => <Mark tone={state === 'ready' ? 'good' : 'bad'}>{state}</Mark> },
          { title: 'Kind', cell: ({ strategy }) => strategy.outline.kind.replaceAll('_', ' ') },
          { title: 'Outcomes learned', number: true, cell: (arm) => digits(learnedOf(arm)) },
          { title: 'Trained beforehand', number: true, cell: (arm) => digits(arm.learned_outcomes.trained) },
          { title: 'Believed at first', number: true, cell: ({ believed }) => believed.quality.toFixed(2) },
          { title: 'Counts as', number: true, cell: ({ believed }) => `${count(believed.counts_as_outcomes)} outcomes` },
          { title: 'Price', cell: ({ priced }) => (priced ? 'known' : 'unknown') },
        ]}
      />
      <p class="small muted">
        Outcomes are weighted: a check that was passed counts a quarter, and one key moves what is expected by a bound a day only. Believed
        at first: quality from 0 to 1, by the price tier or as configured; it fades as outcomes come.
      </p>
    </section>
  )
}

/** Everyone's beginning is in each organisation's count, and is counted once. */
function learnedOf({ learned_outcomes: { trained, by_organisation: organisations } }: ArmShown): number {
  return organisations.reduce((sum, { outcomes }) => sum + Math.max(0, outcomes - trained), trained)
}

function Arm({ arm }: { readonly arm: ArmShown }) {
  const { id, strategy, tier, effort, style, mode, place, context_tokens: context } = arm
  const settings = [
    ['tier', tier],
    ['effort', effort],
    ['style', style],
    ['mode', mode],
    ['place', place],
    ['context', context === null ? null : `${count(context)} tokens`],
  ].filter(([, value]) => value !== null)
  return (
    <article class="card">
      <h3>{id}</h3>
      <p>{strategy.words}</p>
      <Part outline={strategy.outline} />
      <p class="small muted">
        {settings.map(([name, value]) => `${name} ${value}`).join(' · ')}
        {settings.length > 0 && ' · '}at most {count(strategy.most_calls)} {strategy.most_calls === 1 ? 'call' : 'calls'} ·{' '}
        <span title={strategy.hash}>
          hash <code>{strategy.hash.slice(0, 12)}</code>
        </span>
      </p>
    </article>
  )
}

/** A strategy, with those that it is made of below it. */
function Part({ outline: { kind, role, settings, parts } }: { readonly outline: Outline }) {
  return (
    <ul class="outline">
      <li>
        {role !== '' && <span class="role">{role}: </span>}
        <strong>{kind.replaceAll('_', ' ')}</strong>
        {settings.length > 0 && (
          <span class="settings">
            {settings.map(({ name, value }) => (
              <span key={name}>
                {' '}
                {name} <code>{value}</code>
              </span>
            ))}
          </span>
        )}
        {parts.map((part, index) => (
          <Part key={index} outline={part} />
        ))}
      </li>
    </ul>
  )
}

function Objectives({ routing }: { readonly routing: Routing }) {
  return (
    <section>
      <h2>Objectives</h2>
      <Table
        caption="Objectives by the name that callers use"
        quiet
        rows={Object.entries(routing.objectives)}
        idOf={([name]) => name}
        columns={[
          {
            title: 'Name',
            cell: ([name]) => (
              <>
                auto:{name} {name === routing.objective && <span class="tag">usual</span>}
              </>
            ),
          },
          {
            title: 'Settings',
            cell: ([, fields]) =>
              Object.entries(fields)
                .filter(([field]) => field !== 'name')
                .map(([field, value]) => `${words[field] ?? field} ${String(value)}`)
                .join(' · ') || 'none',
          },
        ]}
      />
    </section>
  )
}

const words: Readonly<Record<string, string>> = {
  lambda: 'a right answer is worth $',
  relativeLambda: 'a right answer is worth, in calls of the reference:',
  qualityFloor: 'least quality as a share of the reference’s:',
  maxUsd: 'at most $',
  maxSeconds: 'at most seconds:',
  maxJoules: 'at most joules:',
}
