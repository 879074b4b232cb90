/** Outlines of cells by WebGL2: one point a cell, its outline computed in the fragment; only squares in view. */

import { EDITED, NEVER_COUNTED, OUTSIDE } from "./cells.js";
import { COLOURS } from "./marks.js";

const VERTEX = `#version 300 es
precision highp float;
in float x; in float y; in uint kind; in uint flags; in uint chosen;
uniform vec2 corner; uniform float scale; uniform vec2 size; uniform float diameter; uniform float line;
uniform uint shown;
flat out uint v_kind; flat out uint v_flags; flat out uint v_chosen; flat out float v_side;
void main() {
  bool stained = (flags & 1u) != 0u;
  uint style = kind == 255u ? 7u : kind == 3u ? 6u : kind * 2u + (stained ? 1u : 0u);
  v_kind = kind; v_flags = flags; v_chosen = chosen;
  // Only what is edited or chosen has lines outside its outline. Every pixel of a point costs time without graphics.
  bool more = (flags & ${EDITED}u) != 0u || chosen != 0u;
  v_side = more ? diameter * 1.3 + 14.0 : diameter * 1.15 + 3.0 * line + 2.0;
  gl_PointSize = v_side;
  vec2 place = (vec2(x, y) - corner) * scale / size * 2.0 - 1.0;
  bool hidden = ((shown >> style) & 1u) == 0u && chosen == 0u;
  gl_Position = hidden ? vec4(2.0, 2.0, 2.0, 1.0) : vec4(place.x, -place.y, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
flat in uint v_kind; flat in uint v_flags; flat in uint v_chosen; flat in float v_side;
uniform float diameter; uniform float line; uniform float wash;
uniform vec3 stained_colour; uniform vec3 unstained_colour; uniform vec3 other_colour;
out vec4 colour;

float triangle(vec2 p, float r) {
  vec2 q = vec2(abs(p.x), p.y);
  float slant = dot(q - vec2(0.0, -1.15 * r), normalize(vec2(1.9, -1.1)));
  return max(slant, q.y - 0.75 * r);
}
float square(vec2 p, float half_side) { return max(abs(p.x), abs(p.y)) - half_side; }
float cross_(vec2 p, float reach) {
  float along = max(abs(p.x), abs(p.y)) - reach;
  return max(min(abs(p.x - p.y), abs(p.x + p.y)) * 0.7071, along);
}
float shape(vec2 p, float r) {
  if (v_kind == 1u) return triangle(p, r);
  if (v_kind == 2u) return square(p, r * 0.66);
  if (v_kind == 3u) return cross_(p, r * 0.6);
  return length(p) - r;
}
float stroke(float distance_px, float width) { return clamp(0.5 + width * 0.5 - abs(distance_px), 0.0, 1.0); }
void over(vec3 rgb, float alpha) { colour = colour * (1.0 - alpha) + vec4(rgb * alpha, alpha); }

void main() {
  vec2 p = (gl_PointCoord - 0.5) * v_side;
  float r = diameter * 0.5;
  float d = shape(p, r);
  bool more = (v_flags & ${EDITED}u) != 0u || v_chosen != 0u;
  float outer = 1.5 * line + 0.5;
  if (!more && (d > outer || (d < -outer && ((v_flags & 1u) == 0u || v_kind > 1u)))) discard;
  bool counts = v_kind < 2u;
  bool stained = (v_flags & 1u) != 0u && v_kind < 3u;
  vec3 ink = counts ? (stained ? stained_colour : unstained_colour) : other_colour;
  float width = stained ? line * 1.7 : line;
  float strength = (v_flags & ${OUTSIDE | NEVER_COUNTED}u) != 0u ? 0.4 : 1.0;
  colour = vec4(0.0);
  over(vec3(1.0), stroke(d, width + 1.3 * line) * (counts ? 0.75 : 0.5) * strength);
  if (stained && counts) over(ink, clamp(0.5 - d, 0.0, 1.0) * wash * strength);
  float gaps = 1.0;
  if (v_kind == 255u) gaps = step(0.0, sin(atan(p.y, p.x) * 8.0));
  over(ink, stroke(d, width) * strength * gaps);
  if ((v_flags & ${EDITED}u) != 0u && v_kind != 3u) {
    over(vec3(1.0), stroke(d - 2.6 * line - width * 0.5, line * 2.2) * 0.85);
    over(ink, stroke(d - 2.6 * line - width * 0.5, line * 0.8));
  }
  if (v_chosen != 0u) {
    float reach = r * 1.2 + 4.0;
    float corners = step(reach * 0.45, min(abs(p.x), abs(p.y)));
    over(vec3(1.0), stroke(square(p, reach), line * 3.2) * corners);
    over(vec3(0.05), stroke(square(p, reach), line * 1.6) * corners);
  }
  if (colour.a < 0.004) discard;
}`;

const WHOLE = ["kind", "flags", "chosen"];

export class CellLayer {
  /** @throws when the browser has no WebGL2; the plain layer is used then. */
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { alpha: true, antialias: false, premultipliedAlpha: true });
    if (!this.gl) throw new Error("no WebGL2");
    this.#build();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.#build();
      if (this.cells) this.load(this.cells);
      this.onRestored?.();
    });
  }

  #build() {
    const { gl } = this;
    this.program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (!gl.getProgramParameter(this.program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(`no WebGL2 program: ${gl.getProgramInfoLog(this.program)}`);
    gl.useProgram(this.program);
    this.at = (name) => gl.getUniformLocation(this.program, name);
    for (const name of ["stained", "unstained", "other"])
      gl.uniform3fv(this.at(`${name}_colour`), COLOURS[name].map((value) => value / 255));
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.largestPoint = gl.getParameter(gl.ALIASED_POINT_SIZE_RANGE)[1];
  }

  /** Copy the cells to the graphics memory: 11 bytes each. */
  load(cells) {
    this.cells = cells;
    this.loaded = cells.count;
    this.buffers = {};
    for (const name of ["x", "y", ...WHOLE]) this.#bind(name, cells[name]);
  }

  #bind(name, array) {
    const { gl } = this;
    const buffer = (this.buffers[name] = gl.createBuffer());
    const place = gl.getAttribLocation(this.program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, array, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(place);
    if (WHOLE.includes(name)) gl.vertexAttribIPointer(place, 1, gl.UNSIGNED_BYTE, 0, 0);
    else gl.vertexAttribPointer(place, 1, gl.FLOAT, false, 0, 0);
  }

  /** Take over classes, flags and choice; positions only where cells were added. */
  update() {
    if (this.cells.count !== this.loaded) {
      for (const buffer of Object.values(this.buffers)) this.gl.deleteBuffer(buffer);
      this.load(this.cells);
      return;
    }
    for (const name of WHOLE) {
      this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
      this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, this.cells[name]);
    }
  }

  clear() {
    this.gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    this.gl.clearColor(0, 0, 0, 0);
    this.gl.clear(this.gl.COLOR_BUFFER_BIT);
  }

  /**
   * Draw the cells of the squares in view; returns how many were handed to the graphics.
   * `scale` is in device pixels per level-0 pixel, `shown` has a bit for each style.
   */
  draw({ box, scale, diameter, line, wash, shown }) {
    const { gl } = this;
    this.clear();
    gl.uniform2f(this.at("corner"), box.left, box.top);
    gl.uniform1f(this.at("scale"), scale);
    gl.uniform2f(this.at("size"), this.canvas.width, this.canvas.height);
    gl.uniform1f(this.at("diameter"), Math.min(diameter, this.largestPoint / 1.3 - 14));
    gl.uniform1f(this.at("line"), line);
    gl.uniform1f(this.at("wash"), wash);
    gl.uniform1ui(this.at("shown"), shown);
    let handed = 0;
    for (const [first, count] of this.cells.runsIn(box)) {
      gl.drawArrays(gl.POINTS, first, count);
      handed += count;
    }
    return handed;
  }
}
