"""The language on the wire: operations, frames, REST resources, ids."""
