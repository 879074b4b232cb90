/*
 * Give corrected cells and regions back to cxpath.
 *
 * Change the class of cells that are wrong, draw regions if you want some, then run this script. It writes two
 * files into the folder that you choose:
 *
 *     corrected.geojson.gz   every cell, with its identity: `cxpath review apply DIR --cells corrected.geojson.gz`
 *     regions.geojson        annotations of your own, if any: `cxpath score slide --regions regions.geojson`
 *
 * For QuPath 0.6 and 0.7. Cells keep the identity that cxpath gave them, so exactly those change that you changed.
 * For Research Use Only. Not for use in diagnostic procedures.
 */

import qupath.fx.dialogs.Dialogs
import qupath.fx.dialogs.FileChoosers

final String MARK = 'cxpath'           // metadata key of annotations that import_result.groovy brought
final String OF_CELLS = 'subkind_code' // measurement of every cell of cxpath

def counted = { int number, String what -> number == 1 ? "1 ${what}" : "${number} ${what}s" }

def imageData = getCurrentImageData()
if (imageData == null) {
    Dialogs.showErrorMessage('cxpath', 'Open the image whose cells you corrected, then run this script again.')
    return
}
def hierarchy = imageData.getHierarchy()
def (cells, others) = hierarchy.getDetectionObjects().split { it.getMeasurementList().containsKey(OF_CELLS) }
if (cells.isEmpty()) {
    Dialogs.showErrorMessage('cxpath', 'No cells of cxpath in this image; run import_result.groovy first.')
    return
}
def unnamed = cells.findAll { it.getPathClass() == null }
if (!unnamed.isEmpty()) {
    Dialogs.showErrorMessage(
        'cxpath', "Cells without a class: ${unnamed.size()}. Give each one; Ignore* leaves a cell out."
    )
    hierarchy.getSelectionModel().setSelectedObjects(unnamed, unnamed[0])
    return
}
def given = binding.hasVariable('args') && args ? new File(args[0]) : null
def folder = given ?: FileChoosers.promptForDirectory('Folder for corrected cells and regions', null)
if (folder == null) {
    return
}
exportObjectsToGeoJson(cells, new File(folder, 'corrected.geojson.gz').getPath(), 'FEATURE_COLLECTION')
println "cxpath: ${counted(cells.size(), 'cell')} written to ${folder}"

// Objects that people added are not cells that cxpath found: they are named, never dropped in silence.
if (!others.isEmpty()) {
    println "cxpath: ${counted(others.size(), 'detection')} of other origin left out; add missed cells in the browser review"
}
def regions = hierarchy.getAnnotationObjects().findAll { !it.getMetadata().containsKey(MARK) }
if (!regions.isEmpty()) {
    exportObjectsToGeoJson(
        regions, new File(folder, 'regions.geojson').getPath(), 'FEATURE_COLLECTION', 'EXCLUDE_MEASUREMENTS'
    )
    println "cxpath: ${counted(regions.size(), 'region')} written to ${folder}"
}
