import { useState } from 'preact/hooks'
import type { DecisionRow, DecisionWhole, Estimate } from '../answers.js'
import type { Client } from '../client.js'
import { ago, count, digits, dollars, moment, percent, seconds, UNKNOWN } from '../format.js'
import { Choice, Empty, Failed, Mark, Page, Waiting } from '../parts/page.js'
import { Table } from '../parts/table.js'
import { useReading } from '../reading.js'
import type { PageParts } from '../app.js'

const pageSize = 25

/** The newest decisions, each to be opened. */
export function Decisions({ client }: PageParts) {
  const [which, setWhich] = useState<'weighed' | 'all'>('weighed')
  // Ids that pages begin after, the first page's left out.
  const [pages, setPages] = useState<readonly string[]>([])
  const [opened, setOpened] = useState<string | undefined>(undefined)
  const after = pages.at(-1)
  const reading = useReading(`${which} ${after ?? ''}`, (signal) =>
    client.decisions({ limit: pageSize, weighed: which === 'weighed' ? true : undefined, after }, signal),
  )
  return (
    <Page
      title="Decisions"
      lead="Which arm answered, why, and what was expected of it before."
      reading={reading}
      controls={
        <Choice
          label="Show"
          values={[
            ['weighed', 'choices among arms'],
            ['all', 'all requests'],
          ]}
          value={which}
          choose={(value) => (setWhich(value), setPages([]))}
        />
      }
    >
      {({ data, next }) => (
        <>
          {data.length === 0 ? (
            <Empty>
              <p>{which === 'weighed' ? 'No choices among several arms here.' : 'No decisions here.'}</p>
              {after === undefined && (
                <p>
                  {which === 'weighed' ? (
                    <>
                      They are made for requests with <code>"model": "auto"</code>, where there are two arms or more.
                    </>
                  ) : (
                    'Each request makes one.'
                  )}
                </p>
              )}
            </Empty>
          ) : (
            <Table
              caption="Decisions, the newest first"
              quiet
              rows={data}
              idOf={({ id }) => id}
              columns={[
                { title: 'When', cell: (row) => <span title={moment(row.created)}>{ago(row.created, reading.at ?? row.created)}</span> },
                {
                  title: 'Why',
                  cell: ({ id }) => (
                    <button
                      type="button"
                      aria-expanded={opened === id}
                      aria-label={`Explain decision ${id}`}
                      onClick={() => setOpened(opened === id ? undefined : id)}
                    >
                      {opened === id ? 'Close' : 'Explain'}
                    </button>
                  ),
                },
                { title: 'Asked for', cell: (row) => row.requested_model },
                { title: 'Arm', cell: (row) => <strong>{row.arm}</strong> },
                { title: 'How', cell: how },
                { title: 'Quality expected', number: true, cell: ({ expected }) => qualityText(expected) },
                { title: 'Cost expected', number: true, cell: ({ expected }) => dollars(expected?.cost) },
                { title: 'Reference', number: true, cell: (row) => dollars(row.expected_of_reference?.cost) },
                { title: 'Key', cell: (row) => row.key },
              ]}
              below={({ id }) => (opened === id ? <Explained client={client} id={id} /> : undefined)}
            />
          )}
          <p class="pager">
            <button type="button" disabled={pages.length === 0} onClick={() => setPages(pages.slice(0, -1))}>
              Newer
            </button>
            <button type="button" disabled={next === null} onClick={() => next !== null && setPages([...pages, next])}>
              Older
            </button>
          </p>
        </>
      )}
    </Page>
  )
}

function how({ trial, explored, policy }: DecisionRow) {
  if (trial?.held_out === true) return <Mark tone="plain">held out</Mark>
  if (explored === true) return <Mark tone="plain">tried out</Mark>
  if (policy === 'fault' || policy === 'rolled-back') return <Mark tone="bad">{policy.replaceAll('-', ' ')}</Mark>
  // What a policy is wrapped in (holdout, exploring, sticky) did nothing here.
  return <span title={policy}>{policy.replace(/^.*\(/, '').replace(/\)+$/, '').replaceAll('-', ' ')}</span>
}

function qualityText(estimate: Estimate | null | undefined): string {
  return estimate?.quality == null
    ? UNKNOWN
    : `${estimate.quality.toFixed(2)}${estimate.quality_deviation === null ? '' : ` ± ${estimate.quality_deviation.toFixed(2)}`}`
}

/** One decision, in words and with all that was weighed. */
function Explained({ client, id }: { readonly client: Client; readonly id: string }) {
  const reading = useReading(id, (signal) => client.decision(id, signal), 60)
  const { answer, failure } = reading
  if (answer === undefined) return failure === undefined ? <Waiting /> : <Failed failure={failure} again={reading.again} />
  const { alternatives = [], excluded = [], calls, outcomes } = answer
  return (
    <div class="explained">
      <p class="words">{firstWords(answer)}</p>
      {alternatives.length > 0 && (
        <Table
          caption="What was weighed: expected before the answer"
          rows={alternatives}
          idOf={({ arm }) => arm}
          columns={[
            { title: 'Arm', cell: ({ arm }) => <ArmName arm={arm} decision={answer} /> },
            { title: 'Quality, 0 to 1', number: true, cell: (estimate) => qualityText(estimate) },
            { title: 'Cost', number: true, cell: ({ cost }) => dollars(cost) },
            {
              title: 'Tokens out',
              number: true,
              cell: (estimate) => count(estimate.output_tokens === null ? null : Math.round(estimate.output_tokens)),
            },
            { title: 'Time', number: true, cell: (estimate) => seconds(estimate.seconds) },
            { title: 'Energy', number: true, cell: ({ joules }) => (joules === null ? UNKNOWN : `${digits(joules)} J`) },
            { title: 'Outcomes behind it', number: true, cell: ({ support }) => digits(support) },
          ]}
        />
      )}
      {excluded.length > 0 && (
        <ul class="plain-list">
          {excluded.map(({ arm, why }) => (
            <li key={arm}>
              <strong>{arm}</strong> set aside: {why}
            </li>
          ))}
        </ul>
      )}
      {calls.length > 0 && (
        <Table
          caption="What came: each call that was made"
          rows={calls}
          idOf={(call) => call.id}
          columns={[
            { title: 'Deployment', cell: ({ deployment }) => deployment },
            {
              title: 'End',
              cell: ({ end, error }) => <Mark tone={end === 'complete' ? 'good' : 'bad'}>{error === null ? end : `${end}: ${error}`}</Mark>,
            },
            { title: 'Cost', number: true, cell: ({ cost }) => (cost === null ? 'unknown' : dollars(cost)) },
            { title: 'Time', number: true, cell: (call) => seconds(call.seconds) },
            { title: 'First token', number: true, cell: (call) => seconds(call.first_token_seconds) },
          ]}
        />
      )}
      <p class="small muted">
        {outcomes.length === 0
          ? 'Nobody has said how good the answer was.'
          : `Said of the answer: ${outcomes.map(({ source, score }) => `${source} ${score}`).join(', ')}.`}{' '}
        Decision <code>{id}</code>, {moment(answer.created)}.
      </p>
    </div>
  )
}

/** The words before the lists, which have tables of their own here. */
function firstWords({ explanation, reason, propensity }: DecisionWhole): string {
  if (explanation === undefined) return `${reason}${propensity < 1 ? ` Drawn with probability ${percent(propensity)}.` : ''}`
  const lines = explanation.split('\n')
  const lists = lines.findIndex((line) => line === 'Also weighed:' || line === 'Set aside:')
  const last = lines.findLastIndex((line) => line.startsWith('It was drawn') || line.startsWith('The choice was certain'))
  return [...lines.slice(0, lists === -1 ? last : lists), ...(last === -1 ? [] : lines.slice(last))].join(' ')
}

function ArmName({ arm, decision }: { readonly arm: string; readonly decision: DecisionWhole }) {
  const roles = [arm === decision.arm ? 'chosen' : '', arm === decision.reference ? 'reference' : ''].filter((role) => role !== '')
  return (
    <>
      {arm} {roles.length > 0 && <span class="tag">{roles.join(', ')}</span>}
    </>
  )
}
