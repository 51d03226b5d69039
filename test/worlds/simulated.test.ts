import { strategiesIn } from './suite.js'
import { simulated } from './worlds.js'

strategiesIn(simulated)
