/** A guest that tries to get out. */
package org.gatun.hostile;
