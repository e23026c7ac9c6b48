'use strict';

/** A greeting for somebody. */
function greeting(name) {
  return `hello, ${name}`;
}

module.exports = { greeting };
