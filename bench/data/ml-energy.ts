import { join } from 'node:path'
import { z } from 'zod'
import type { MeasuredConfiguration } from '../../src/evaluation/index.js'
import type { DataSource } from '../report.js'
import { oneFile, readRows } from './source.js'

const row = z.object({
  task: z.string(),
  model_id: z.string(),
  gpu_model: z.string(),
  num_gpus: z.number().positive(),
  architecture: z.string(),
  weight_precision: z.string(),
  activated_params_billions: z.number().positive(),
  total_params_billions: z.number().positive(),
  max_num_seqs: z.number().positive(),
  energy_per_token_joules: z.number().positive(),
})

export interface EnergyRow extends MeasuredConfiguration {
  readonly model: string
  readonly task: string
  readonly gpu: string
}

/**
 * ML.ENERGY v3: configurations with measured joules a token. It tells no quality: ln of all parameters stands for it, so that fronts
 * have two sides.
 */
export function loadMlEnergy(root: string): { readonly rows: readonly EnergyRow[]; readonly source: DataSource } {
  const { rows, source } = readRows(oneFile(join(root, 'ml_energy'), /v3.*\.jsonl(\.gz)?$/), row)
  return {
    rows: rows.map((one, at) => ({
      name: `${at} ${one.model_id}`,
      model: one.model_id,
      task: one.task,
      gpu: one.gpu_model,
      quality: Math.log(one.total_params_billions),
      joules: one.energy_per_token_joules,
      features: {
        task: one.task,
        gpu: one.gpu_model,
        gpus: one.num_gpus,
        architecture: one.architecture,
        precision: one.weight_precision,
        activated: one.activated_params_billions,
        total: one.total_params_billions,
        concurrency: one.max_num_seqs,
      },
    })),
    source,
  }
}
