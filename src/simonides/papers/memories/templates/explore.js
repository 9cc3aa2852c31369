"use strict";
// One matrix that stores N facts as a sum of outer products, W = sum_i v_i u_i^T, and what theory expects of it.
// Vectors are rows of flat Float32Arrays. The formulas are those of simonides.theory.recall (unit-sphere and
// Gaussian embeddings), with sums over grids in place of Gauss quadrature.

// ---- random embeddings --------------------------------------------------------------------------------------

function generator(seed) { // mulberry32
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function normals(count, random) { // Box and Muller
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

function normalise(rows, d) {
  for (let i = 0; i < rows.length; i += d) {
    let square = 0;
    for (let j = 0; j < d; j++) square += rows[i + j] ** 2;
    const scale = 1 / Math.sqrt(square);
    for (let j = 0; j < d; j++) rows[i + j] *= scale;
  }
}

function embed(n, d, kind, random) {
  const rows = normals(n * d, random);
  if (kind === "gaussian") {
    for (let i = 0; i < rows.length; i++) rows[i] /= Math.sqrt(d);
    return rows;
  }
  if (kind === "orthonormal") { // Gram and Schmidt, twice for rounding; at most d rows are orthonormal
    for (let i = 0; i < n; i++) {
      for (let pass = 0; pass < 2; pass++) {
        for (let k = 0; k < i; k++) {
          const c = dot(rows, i * d, rows, k * d, d);
          for (let j = 0; j < d; j++) rows[i * d + j] -= c * rows[k * d + j];
        }
      }
      normalise(rows.subarray(i * d, (i + 1) * d), d);
    }
    return rows;
  }
  normalise(rows, d);
  return rows;
}

function dot(a, i, b, j, d) {
  let sum = 0;
  for (let k = 0; k < d; k++) sum += a[i + k] * b[j + k];
  return sum;
}

// ---- writing and reading ------------------------------------------------------------------------------------

// W, d x d, maps inputs to answers
function write(inputs, answers, n, d, rule) {
  const keys = rule === "pseudo_inverse" ? dual(inputs, n, d) : inputs;
  const w = new Float32Array(d * d);
  for (let i = 0; i < n; i++) {
    for (let r = 0; r < d; r++) {
      const v = answers[i * d + r];
      for (let c = 0; c < d; c++) w[r * d + c] += v * keys[i * d + c];
    }
  }
  return w;
}

// rows k_i with sum_i v_i k_i^T the least-squares memory: U (U^T U)^-1, or (U U^T)^-1 U where N < d
function dual(inputs, n, d) {
  const wide = n < d, size = wide ? n : d;
  const gram = new Float64Array(size * size);
  for (let a = 0; a < size; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      if (wide) sum = dot(inputs, a * d, inputs, b * d, d);
      else for (let i = 0; i < n; i++) sum += inputs[i * d + a] * inputs[i * d + b];
      gram[a * size + b] = gram[b * size + a] = sum;
    }
    gram[a * size + a] += 1e-9;
  }
  const inverse = inverted(gram, size);
  const out = new Float32Array(n * d);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < d; c++) {
      let sum = 0;
      if (wide) for (let k = 0; k < n; k++) sum += inverse[i * n + k] * inputs[k * d + c];
      else for (let k = 0; k < d; k++) sum += inputs[i * d + k] * inverse[k * d + c];
      out[i * d + c] = sum;
    }
  }
  return out;
}

function inverted(matrix, n) { // Gauss and Jordan with pivots
  const a = Float64Array.from(matrix), b = new Float64Array(n * n);
  for (let i = 0; i < n; i++) b[i * n + i] = 1;
  for (let p = 0; p < n; p++) {
    let best = p;
    for (let r = p + 1; r < n; r++) if (Math.abs(a[r * n + p]) > Math.abs(a[best * n + p])) best = r;
    if (best !== p) {
      for (let c = 0; c < n; c++) {
        [a[p * n + c], a[best * n + c]] = [a[best * n + c], a[p * n + c]];
        [b[p * n + c], b[best * n + c]] = [b[best * n + c], b[p * n + c]];
      }
    }
    const scale = 1 / a[p * n + p];
    for (let c = 0; c < n; c++) { a[p * n + c] *= scale; b[p * n + c] *= scale; }
    for (let r = 0; r < n; r++) {
      const f = a[r * n + p];
      if (r === p || f === 0) continue;
      for (let c = 0; c < n; c++) { a[r * n + c] -= f * a[p * n + c]; b[r * n + c] -= f * b[p * n + c]; }
    }
  }
  return b;
}

// queries at this cosine with the inputs that were stored
function disturbed(inputs, n, d, cosine, random) {
  if (cosine === 1) return inputs;
  const out = normals(n * d, random), sine = Math.sqrt(1 - cosine * cosine);
  for (let i = 0; i < n; i++) {
    const along = dot(out, i * d, inputs, i * d, d) / dot(inputs, i * d, inputs, i * d, d);
    let square = 0;
    for (let j = 0; j < d; j++) { out[i * d + j] -= along * inputs[i * d + j]; square += out[i * d + j] ** 2; }
    const length = Math.sqrt(dot(inputs, i * d, inputs, i * d, d) / square);
    for (let j = 0; j < d; j++) out[i * d + j] = cosine * inputs[i * d + j] + sine * length * out[i * d + j];
  }
  return out;
}

// scores V W q of every answer for every query: entry [answer, query] of the top `shown`, and the recall
function read(w, queries, answers, n, d, shown) {
  const table = new Float32Array(shown * shown), found = new Float32Array(d);
  let right = 0;
  for (let q = 0; q < n; q++) {
    for (let r = 0; r < d; r++) found[r] = dot(w, r * d, queries, q * d, d);
    const own = dot(answers, q * d, found, 0, d);
    let first = true;
    for (let k = 0; k < n; k++) {
      const score = k === q ? own : dot(answers, k * d, found, 0, d);
      if (k !== q && score >= own) first = false;
      if (k < shown && q < shown) table[k * shown + q] = score;
      if (!first && q >= shown) break;
    }
    if (first) right++;
  }
  return { table, recall: right / n };
}

function measure(d, n, kind, rule, cosine, seed, shown) {
  const random = generator(seed * 7919 + n);
  const inputs = embed(n, d, kind, random), answers = embed(n, d, kind, random);
  const queries = disturbed(inputs, n, d, cosine, random);
  return read(write(inputs, answers, n, d, rule), queries, answers, n, d, Math.min(shown, n));
}

// ---- theory -------------------------------------------------------------------------------------------------

function logGamma(x) { // Lanczos
  const c = [76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3,
    -5.395239384953e-6];
  let y = x, sum = 1.000000000190015;
  const t = x + 5.5 - (x + 0.5) * Math.log(x + 5.5);
  for (const value of c) sum += value / ++y;
  return -t + Math.log(2.5066282746310005 * sum / x);
}

function betaFraction(a, b, x) { // Lentz's continued fraction
  let c = 1, d = 1 / guard(1 - (a + b) * x / (a + 1)), h = d;
  for (let m = 1; m < 300; m++) {
    const m2 = 2 * m;
    let step = m * (b - m) * x / ((a + m2 - 1) * (a + m2));
    d = 1 / guard(1 + step * d); c = guard(1 + step / c); h *= d * c;
    step = -(a + m) * (a + b + m) * x / ((a + m2) * (a + m2 + 1));
    d = 1 / guard(1 + step * d); c = guard(1 + step / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-10) break;
  }
  return h;
}

function guard(x) { return Math.abs(x) < 1e-30 ? 1e-30 : x; }

function incompleteBeta(a, b, x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  return x < (a + 1) / (a + b + 2) ? front * betaFraction(a, b, x) / a : 1 - front * betaFraction(b, a, 1 - x) / b;
}

function normalTail(x) { // P(X > x); Numerical Recipes' erfc, relative error below 1.2e-7
  const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.5 * z);
  const poly = -z * z - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
    t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  const tail = 0.5 * t * Math.exp(poly);
  return x >= 0 ? tail : 1 - tail;
}

// P(X > t) for the symmetric Pearson law of this variance and excess kurtosis
function tail(threshold, variance, kurtosis) {
  if (Math.abs(kurtosis) < 2e-3) return normalTail(threshold / Math.sqrt(variance));
  if (kurtosis < 0) { // a coordinate of the sphere of R^D
    const dimension = Math.max(-6 / kurtosis - 2, 1 + 1e-9);
    const x = Math.max(-1, Math.min(1, threshold / Math.sqrt(dimension * variance)));
    const half = 0.5 * incompleteBeta((dimension - 1) / 2, 0.5, 1 - x * x);
    return x > 0 ? half : 1 - half;
  }
  const freedom = 4 + 6 / kurtosis, t = threshold * Math.sqrt(freedom / (freedom - 2) / variance);
  const half = 0.5 * incompleteBeta(freedom / 2, 0.5, freedom / (freedom + t * t));
  return t > 0 ? half : 1 - half;
}

// nodes and weights for a coordinate of the unit sphere of R^D, scaled to variance one
function coordinateNodes(dimension, count) {
  const end = Math.min(6, Math.sqrt(dimension)), nodes = [], weights = [];
  let total = 0;
  for (let i = 0; i < count; i++) {
    const x = -end + (2 * end * (i + 0.5)) / count;
    const weight = dimension > 2000 ? Math.exp(-x * x / 2) : Math.pow(1 - x * x / dimension, (dimension - 3) / 2);
    nodes.push(x); weights.push(weight); total += weight;
  }
  return [nodes, weights.map((w) => w / total)];
}

// nodes and weights of Gauss's rule for a Gamma law of this mean: eigenvalues of the recurrence of Laguerre's
// polynomials, and the first entries of its eigenvectors, by Jacobi's rotations (Golub & Welsch 1969)
function gammaNodes(mean, relativeVariance, count) {
  if (mean <= 0) return [[0], [1]];
  const shape = 1 / relativeVariance, matrix = [], vectors = [];
  for (let i = 0; i < count; i++) {
    matrix.push(new Array(count).fill(0)); vectors.push(new Array(count).fill(0));
    matrix[i][i] = 2 * i + shape; vectors[i][i] = 1;
  }
  for (let i = 1; i < count; i++) matrix[i][i - 1] = matrix[i - 1][i] = Math.sqrt(i * (i + shape - 1));
  for (let sweep = 0; sweep < 12; sweep++) {
    for (let p = 0; p < count; p++) for (let q = p + 1; q < count; q++) {
      if (matrix[p][q] === 0) continue;
      const angle = 0.5 * Math.atan2(2 * matrix[p][q], matrix[q][q] - matrix[p][p]);
      const c = Math.cos(angle), s = Math.sin(angle);
      for (let k = 0; k < count; k++) {
        [matrix[k][p], matrix[k][q]] = [c * matrix[k][p] - s * matrix[k][q], s * matrix[k][p] + c * matrix[k][q]];
        [vectors[k][p], vectors[k][q]] = [c * vectors[k][p] - s * vectors[k][q], s * vectors[k][p] + c * vectors[k][q]];
      }
      for (let k = 0; k < count; k++) {
        [matrix[p][k], matrix[q][k]] = [c * matrix[p][k] - s * matrix[q][k], s * matrix[p][k] + c * matrix[q][k]];
      }
    }
  }
  return [matrix.map((row, i) => mean * row[i] / shape), vectors[0].map((v) => v * v)];
}

// whether theory has a curve for these choices
function predicted(kind, rule, cosine) {
  if (kind === "orthonormal") return false;
  return cosine === 1 || (kind === "sphere" && rule === "outer_products");
}

// expected recall of N facts, each with an answer of its own; simonides.theory.linear_recall
function expectedRecall(d, n, kind, rule, cosine) {
  if (n < 2 || (rule === "pseudo_inverse" && n <= d)) return 1;
  const gaussian = kind === "gaussian";
  const [signals, signalWeights] = gaussian ? gammaNodes(1, 2 / d, 5) : [[cosine], [1]];
  const [norms, normWeights] = gaussian ? gammaNodes(1, 2 / d, 5) : [[1], [1]];
  let recall = 0;
  signals.forEach((signal, i) => {
    let variance = gaussian ? signal / d : 1 / d;
    if (rule === "pseudo_inverse") variance = signal * (n / d - 1) / (n - 1);
    const crowdMean = (n - 2) * variance;
    const unevenness = 1 / Math.max(n - 2, 1);
    const crowd = gammaNodes(crowdMean, 2 * unevenness + 2 / d, 5);
    norms.forEach((norm, j) => {
      recall += signalWeights[i] * normWeights[j] * given(d, n, signal, variance, crowd, norm, gaussian);
    });
  });
  return Math.min(1, recall);
}

// recall given the input's signal and |u_y|^2 = norm: sums over z, |g|^2 and the overlap rho of a rival
function given(d, n, signal, variance, crowd, norm, gaussian) {
  const coordinate = 1 / d, spread = gaussian ? 2 / d : 0, root = Math.sqrt(norm);
  const [standard, zWeights] = coordinateNodes(gaussian ? 1e9 : d, gaussian ? 21 : 41);
  const [overlaps, overlapWeights] = coordinateNodes(gaussian ? 1e9 : d, gaussian ? 21 : 41);
  const excess = (1 + 2 * spread) * (1 + 3 * spread) / (1 + spread) - 1;
  let recall = 0;
  crowd[0].forEach((g, i) => {
    for (let a = 0; a < standard.length; a++) {
      const right = root * signal + standard[a] * Math.sqrt(g * coordinate);
      const rest = gaussian ? 1 : Math.max(1 - standard[a] ** 2 * coordinate, 0);
      let lost = 0;
      for (let b = 0; b < overlaps.length; b++) {
        const overlap = overlaps[b] * Math.sqrt(coordinate);
        const across = gaussian ? coordinate : Math.max(1 - overlap ** 2, 0) / (d - 1);
        const rivalNorm = gaussian ? 1 - coordinate + overlap ** 2 : 1;
        const fromCrowd = rest * g * across;
        const fromRival = (rivalNorm - root * overlap) ** 2 * variance * (1 + spread);
        const both = fromRival + fromCrowd + 1e-300;
        let kurtosis = fromRival ** 2 * (-6 / (d + 2) + 3 * excess);
        if (!gaussian) kurtosis -= fromCrowd ** 2 * 6 / (d + 1);
        lost += overlapWeights[b] * tail((root - overlap) * right, both, kurtosis / both ** 2);
      }
      recall += crowd[1][i] * zWeights[a] * Math.exp((n - 1) * Math.log1p(-Math.min(Math.max(lost, 0), 1 - 1e-16)));
    }
  });
  return recall;
}

// ---- the page -----------------------------------------------------------------------------------------------

const SHOWN = 40; // facts in the picture of V^T W U
const POINTS = [4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512];

function element(id) { return document.getElementById(id); }

function settings() {
  return {
    d: Number(element("d").value), n: Number(element("n").value), kind: element("kind").value,
    rule: element("rule").value, cosine: Number(element("cosine").value), seed: Number(element("seed").value),
  };
}

function fromAddress() { // #d=64&n=100: the settings of a link, where they make sense
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const input = element(name);
    if (input && input.matches("input, select")) input.value = value;
  }
}

function colour(value) { // from grey at zero to red at one, to blue at minus one
  const v = Math.max(-1, Math.min(1, value)), end = v >= 0 ? [213, 60, 0] : [0, 90, 200];
  return end.map((channel) => 232 + (channel - 232) * Math.abs(v));
}

function drawTable(table) {
  const size = Math.sqrt(table.length), canvas = element("table"), context = canvas.getContext("2d");
  canvas.width = canvas.height = size;
  const image = context.createImageData(size, size);
  for (let i = 0; i < table.length; i++) {
    const [r, g, b] = colour(table[i]);
    image.data.set([r, g, b, 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

function drawCurve(s, recall) {
  const width = 420, height = 260, left = 44, bottom = 34;
  const x = (n) => left + (width - left - 10) * Math.log(n / 2) / Math.log(1024 / 2);
  const y = (r) => 8 + (height - bottom - 8) * (1 - r);
  const parts = [];
  for (const r of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(`<line x1="${left}" x2="${width - 10}" y1="${y(r)}" y2="${y(r)}" class="grid"/>`);
    parts.push(`<text x="${left - 6}" y="${y(r) + 4}" text-anchor="end">${r}</text>`);
  }
  for (const n of [2, 8, 32, 128, 512]) {
    parts.push(`<text x="${x(n)}" y="${height - 16}" text-anchor="middle">${n}</text>`);
  }
  parts.push(`<text x="${(left + width) / 2}" y="${height - 2}" text-anchor="middle">facts N</text>`);
  parts.push(`<text x="12" y="${height / 2}" transform="rotate(-90 12 ${height / 2})" text-anchor="middle">recall</text>`);
  if (predicted(s.kind, s.rule, s.cosine)) {
    const path = [];
    for (let k = 0; k <= 36; k++) {
      const n = Math.round(2 * Math.pow(512, k / 36));
      path.push(`${x(n).toFixed(1)},${y(expectedRecall(s.d, n, s.kind, s.rule, s.cosine)).toFixed(1)}`);
    }
    parts.push(`<polyline points="${path.join(" ")}" class="theory"/>`);
  }
  for (const n of POINTS) {
    if (s.kind === "orthonormal" && n > s.d) continue;
    const r = measure(s.d, n, s.kind, s.rule, s.cosine, s.seed, 1).recall;
    parts.push(`<circle cx="${x(n)}" cy="${y(r)}" r="3" class="measured"/>`);
  }
  parts.push(`<circle cx="${x(s.n)}" cy="${y(recall)}" r="6" class="here"/>`);
  element("curve").innerHTML = parts.join("");
}

function show() {
  const s = settings();
  if (s.kind === "orthonormal") s.n = Math.min(s.n, s.d);
  for (const name of ["d", "n", "cosine", "seed"]) element(`${name}-value`).textContent = s[name];
  const found = measure(s.d, s.n, s.kind, s.rule, s.cosine, s.seed, SHOWN);
  drawTable(found.table);
  drawCurve(s, found.recall);
  element("recall").textContent = found.recall.toFixed(3);
  const known = predicted(s.kind, s.rule, s.cosine);
  element("theory").textContent = known ? expectedRecall(s.d, s.n, s.kind, s.rule, s.cosine).toFixed(4) : "none here";
  element("load").textContent = (s.n * Math.log(s.n) / (s.d * s.d)).toFixed(2);
}

let waiting = null;

function soon() { // once a frame at most, however fast a slider moves
  if (waiting === null) waiting = requestAnimationFrame(() => { waiting = null; show(); });
}

fromAddress();
for (const input of document.querySelectorAll("input, select")) input.addEventListener("input", soon);
addEventListener("hashchange", () => { fromAddress(); show(); });
show();
