/** Config space: access, header fields, the capability walk, BAR decoding, ids and their names. */
package org.gatun.pci.config;
