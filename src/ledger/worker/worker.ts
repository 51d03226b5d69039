import { closeSync, fsyncSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { BursarError } from '../../errors/index.js'
import type { StoreSettings } from '../store/contract.js'
import { adoptDead, adoptedSegments, clearAdopted, spoiltName } from './adopt.js'
import { Applier } from './applier.js'
import { failureOf } from './failure.js'
import { journalGroup, type FromWorker, type JournalMethods, type MethodCall, type ToWorker, type WorkerSettings } from './messages.js'
import type { StoreGroups, StoreModule } from './store-module.js'

/** The thread that owns the store: it brings journals into it, and calls its methods for the main thread. */

const settings = workerData as WorkerSettings
const longestPauseMs = 5000

function tell(message: FromWorker): void {
  parentPort?.postMessage(message)
}

interface Session {
  readonly applier: Applier
  readonly groups: ReadonlyMap<string, object>
}

async function begin(): Promise<Session> {
  const { groups, close } = await openStore()
  const applier = new Applier(
    {
      store: groups.store,
      holder: settings.holder,
      spoiltDirectory: join(settings.journals, spoiltName),
      makeDurable: () => Promise.resolve(syncDatabase(settings.store)),
    },
    {
      onApplied: (state) => tell({ kind: 'applied', ...state }),
      onRemoved: (segment) => tell({ kind: 'removed', segment }),
      onLeft: (left) => {
        if (left.segments === 0) clearAdopted(settings.own)
        tell({ kind: 'left', ...left })
      },
      onFault: (kind, message, error) =>
        tell({ kind: 'fault', fault: { kind, message }, failure: error === undefined ? undefined : failureOf(error) }),
    },
  )
  const journal: JournalMethods = {
    adopt() {
      const holders = adoptDead(settings.journals, settings.own, settings.leaseSeconds)
      applier.adopt(adoptedSegments(settings.own))
      return Promise.resolve(holders)
    },
    async finish() {
      await applier.drained()
      await applier.stop()
      await close()
      const { applied, open } = applier.ownSegments()
      for (const { path } of applied) rmSync(path, { force: true })
      return open
    },
  }
  // What a worker before this one had taken over.
  applier.adopt(adoptedSegments(settings.own))
  applier.start()
  tell({ kind: 'ready' })
  return { applier, groups: new Map<string, object>([...Object.entries(groups), [journalGroup, journal]]) }
}

/** Tries until the database is there. Settings that can't ever work are told of once; then only a new start helps. */
async function openStore(): Promise<StoreGroups> {
  const { openGroups } = (await import(settings.storeModule)) as StoreModule
  for (let pause = 100; ; pause = Math.min(2 * pause, longestPauseMs)) {
    try {
      return await openGroups(settings.store)
    } catch (error) {
      if (BursarError.is(error) && error.code !== 'ledger_unavailable') tell({ kind: 'refused', failure: failureOf(error) })
      tell({ kind: 'fault', fault: { kind: 'store', message: 'the database could not be opened' }, failure: failureOf(error) })
      await sleep(pause)
    }
  }
}

/**
 * An embedded database commits without a sync, which a power failure can undo; the journal has it all, until its segment is
 * removed. So before that, what was committed is synced. Only the write-ahead log: the database's own file is synced by each checkpoint, and
 * opening and closing it here would drop the locks that this process has on it (as POSIX has it).
 */
function syncDatabase(store: StoreSettings): void {
  if (!('file' in store) || store.file === ':memory:') return
  let file: number
  try {
    file = openSync(`${store.file}-wal`, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw error
  }
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

async function answer({ groups }: Session, { id, group, method, arguments: given }: MethodCall): Promise<void> {
  try {
    const methods = groups.get(group)
    const target: unknown = methods === undefined ? undefined : Reflect.get(methods, method)
    if (typeof target !== 'function') throw new TypeError(`the ledger's worker has no method ${group}.${method}`)
    const value: unknown = await Reflect.apply(target, methods, given)
    tell({ kind: 'answer', id, value })
  } catch (error) {
    tell({ kind: 'failed', id, failure: failureOf(error) })
  }
}

const session = begin()
parentPort?.on('message', (message: ToWorker) => {
  void session.then((begun) => (message.kind === 'advance' ? begun.applier.advance(message.state) : answer(begun, message)))
})
